import t from 'tap';
import { withProtoNames } from '../../../xds/document/proto-names.ts';

const bootstrap = 'envoy.config.bootstrap.v3.Bootstrap';

t.test('fields have the names of the proto files, in messages, lists, maps and Anys', async (t) => {
  const cluster = {
    name: 'a',
    connectTimeout: '1s',
    loadAssignment: { clusterName: 'a', endpoints: [{ lbEndpoints: [{ hostName: 'x', healthStatus: 'HEALTHY' }] }] },
    typedExtensionProtocolOptions: {
      keptKey: {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        commonHttpProtocolOptions: { idleTimeout: '1s' },
      },
    },
  };
  t.strictSame(withProtoNames({ staticResources: { clusters: [cluster] } }, bootstrap), {
    static_resources: {
      clusters: [
        {
          name: 'a',
          connect_timeout: '1s',
          load_assignment: {
            cluster_name: 'a',
            endpoints: [{ lb_endpoints: [{ hostName: 'x', health_status: 'HEALTHY' }] }],
          },
          typed_extension_protocol_options: {
            keptKey: {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              common_http_protocol_options: { idle_timeout: '1s' },
            },
          },
        },
      ],
    },
  });
});

t.test(
  'names that are somebody else’s stay: of Structs, of types that are not known, of what is not there',
  async (t) => {
    const document = {
      node: { metadata: { camelCase: { innerName: 1 } } },
      bootstrapExtensions: [
        { name: 'a', typedConfig: { '@type': 'x/a.Unknown', someField: 1 } },
        { name: 'b', typedConfig: { '@type': 'x/xds.type.v3.TypedStruct', typeUrl: 'y', value: { someField: 1 } } },
      ],
      notAField: { innerName: 1 },
    };
    const { bootstrapExtensions, ...rest } = document;
    t.strictSame(withProtoNames(document, bootstrap), {
      ...rest,
      bootstrap_extensions: bootstrapExtensions.map(({ name, typedConfig }) => ({ name, typed_config: typedConfig })),
    });
  },
);

t.test('what has another shape than it should have stays as it is', async (t) => {
  for (const wrong of [null, 'text', 5, [{ staticResources: 1 }]]) {
    t.equal(withProtoNames(wrong, bootstrap), wrong);
    t.strictSame(withProtoNames({ staticResources: wrong }, bootstrap), { static_resources: wrong });
    t.strictSame(withProtoNames({ staticResources: { clusters: wrong } }, bootstrap), {
      static_resources: { clusters: wrong },
    });
  }
});
