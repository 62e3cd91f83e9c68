import t from 'tap';
import type { DynamicState, ResourceStatus } from '../../../config/dynamic-state.ts';
import type { Snapshot } from '../../../config/snapshot.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { clusterOf } from '../../support/data-plane.ts';
import { onlyItems } from '../../support/only-items.ts';

const manager = {
  '@type': 'type.googleapis.com/x.HttpConnectionManager',
  route_config: { name: 'local', virtual_hosts: [] },
};
const document = {
  node: { id: 'n' },
  static_resources: {
    listeners: [{ name: 'web', filter_chains: [{ filters: [{ name: 'hcm', typed_config: manager }] }] }],
    clusters: [
      { name: 'app', connect_timeout: '1s' },
      { name: 'app-2', connect_timeout: '2s' },
    ],
  },
};

async function dumpOf(query: string, given: unknown = document) {
  const snapshot = { clusters: new Map([['app', clusterOf('app', [80])]]) };
  const admin = await startAdmin({ document: given, snapshot });
  try {
    const { status, text } = await admin.get(`/config_dump${query}`);
    return { status, text, configs: status === 200 ? JSON.parse(text).configs : undefined };
  } finally {
    admin.stop();
  }
}

t.test('sections come in the order of Envoy, each resource with its type', async (t) => {
  const { configs } = await dumpOf('');
  t.strictSame(
    configs.map((section: { '@type': string }) => section['@type'].replace('type.googleapis.com/envoy.admin.v3.', '')),
    [
      'BootstrapConfigDump',
      'ClustersConfigDump',
      'ListenersConfigDump',
      'ScopedRoutesConfigDump',
      'RoutesConfigDump',
      'SecretsConfigDump',
    ],
  );
  const { node, static_resources } = configs[0].bootstrap;
  t.same(static_resources, document.static_resources);
  t.match(node, document.node);
  t.match(configs[0].last_updated, /^\d{4}-/);
  t.match(configs[1].static_clusters[0].cluster, {
    '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    name: 'app',
  });
  t.match(configs[4].static_route_configs[0].route_config, { '@type': /RouteConfiguration$/, name: 'local' });
});

t.test('endpoints are added when they are asked for', async (t) => {
  const { configs } = await dumpOf('?resource=static_endpoint_configs&include_eds');
  t.match(
    configs,
    onlyItems({
      '@type': 'type.googleapis.com/envoy.admin.v3.EndpointsConfigDump.StaticEndpointConfig',
      endpoint_config: {
        cluster_name: 'app',
        endpoints: onlyItems({
          lb_endpoints: onlyItems({
            endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 80 } } },
          }),
        }),
      },
    }),
  );
});

t.test('endpoints that a control plane sent are shown as they are, with their version', async (t) => {
  const admin = await startAdmin({ snapshot: followedSnapshot(), options: { dynamic: endpointsSent } });
  t.teardown(() => admin.stop());
  const { text } = await admin.get('/config_dump?include_eds&resource=dynamic_endpoint_configs');
  const [first, refusedAlone] = JSON.parse(text).configs;
  t.match(first, {
    version_info: 'v1',
    last_updated: '1970-01-01T00:00:01.000Z',
    endpoint_config: { cluster_name: 'service-of-app', policy: { overprovisioning_factor: 120 } },
  });
  t.match(refusedAlone, { endpoint_config: undefined, error_state: { details: 'endpoints: wrong' } });
  const wanted = await admin.get('/config_dump?include_eds&name_regex=service.*');
  t.equal(JSON.parse(wanted.text).configs[2].dynamic_endpoint_configs.length, 1);
});

t.test('a cluster with the name of the service of another says nothing of what was sent for that', async (t) => {
  const { clusters, assignments } = followedSnapshot();
  const names = ['service-of-app', 'wrong'];
  const written = names.map((name) => [name, clusterOf(name, [80])] as const);
  const snapshot = { clusters: new Map([...written, ...clusters!]), assignments: assignments! };
  const admin = await startAdmin({ snapshot, options: { dynamic: endpointsSent } });
  t.teardown(() => admin.stop());
  const { text } = await admin.get('/config_dump?include_eds&resource=dynamic_endpoint_configs');
  const shown = JSON.parse(text).configs.map((entry: Shown) => [
    entry.endpoint_config?.cluster_name,
    entry.version_info,
    entry.error_state?.version_info,
  ]);
  t.strictSame(shown, [
    ['service-of-app', undefined, undefined],
    ['wrong', undefined, undefined],
    ['service-of-app', 'v1', undefined],
    [undefined, undefined, 'v2'],
  ]);
});

interface Shown {
  readonly endpoint_config?: { readonly cluster_name: string };
  readonly version_info?: string;
  readonly error_state?: { readonly version_info: string };
}

t.test(
  'a static cluster whose endpoints a control plane sends has them among the static ones, as they are',
  async (t) => {
    const refused = { ...sentAssignment, refused: refusedAssignment.refused! };
    const dynamic: DynamicState = {
      ...endpointsSent,
      resources: (typeUrl) => (typeUrl.endsWith('.ClusterLoadAssignment') ? [refused] : []),
    };
    const written = { static_resources: { clusters: [{ name: 'app', type: 'EDS' }] } };
    const admin = await startAdmin({ document: written, snapshot: followedSnapshot(), options: { dynamic } });
    t.teardown(() => admin.stop());
    const { text } = await admin.get('/config_dump?include_eds');
    const { static_endpoint_configs, dynamic_endpoint_configs } = JSON.parse(text).configs[2];
    t.same(
      static_endpoint_configs.map((entry: object) => Object.keys(entry)),
      [['endpoint_config']],
      'its message has no version and no refusal',
    );
    t.match(
      dynamic_endpoint_configs,
      onlyItems({ endpoint_config: undefined, error_state: { details: 'endpoints: wrong' } }),
    );
  },
);

function followedSnapshot(): Partial<Snapshot> {
  const cluster = clusterOf('app', []);
  const source = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;
  const discovery = { kind: 'eds', serviceName: 'service-of-app', source } as const;
  return {
    clusters: new Map([['app', { ...cluster, discovery }]]),
    assignments: new Map([['app', { localities: [], overprovisioningFactorPercent: 120 }]]),
  };
}

const endpointsSent: DynamicState = {
  sources: () => [],
  warming: () => ({ clusters: 0, listeners: 0 }),
  resources: (typeUrl) => (typeUrl.endsWith('.ClusterLoadAssignment') ? [sentAssignment, refusedAssignment] : []),
};

const sentAssignment: ResourceStatus = {
  name: 'service-of-app',
  version: 'v1',
  lastUpdatedMs: 1000,
  state: 'active',
  document: () => ({ cluster_name: 'service-of-app' }),
};

const refusedAssignment: ResourceStatus = {
  ...sentAssignment,
  name: 'wrong',
  state: 'refused',
  refused: { version: 'v2', atMs: 0, problems: [{ path: 'endpoints', message: 'wrong' }], document: () => ({}) },
};

t.test('one kind of resource, masked', async (t) => {
  const { configs } = await dumpOf('?resource=static_clusters&mask=cluster.name');
  const type = { '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster' };
  const cluster = { '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster' };
  t.strictSame(configs, [
    { ...type, cluster: { ...cluster, name: 'app' } },
    { ...type, cluster: { ...cluster, name: 'app-2' } },
  ]);
  t.equal((await dumpOf('?resource=dynamic_listeners')).text, '{}\n');
});

t.test('a name is matched whole', async (t) => {
  const { configs } = await dumpOf('?resource=static_clusters&name_regex=app');
  t.strictSame(
    configs.map((each: { cluster: { name: string } }) => each.cluster.name),
    ['app'],
  );
});

t.test('a mask without resource keeps the sections that have the field', async (t) => {
  const { configs } = await dumpOf('?mask=bootstrap.node');
  t.match(configs, onlyItems({ '@type': /BootstrapConfigDump$/, bootstrap: { node: { id: 'n' } } }));
  t.equal(configs.length, 1);
  t.equal(configs[0].bootstrap.static_resources, undefined);
});

t.test('what is asked for without a value is not asked for', async (t) => {
  const { configs } = await dumpOf('');
  for (const query of ['?resource=', '?mask=', '?name_regex=', '?resource&mask&name_regex']) {
    t.equal((await dumpOf(query)).configs.length, configs.length, query);
    t.equal((await dumpOf(query)).configs[1].static_clusters.length, 2, query);
  }
});

t.test('the node says who it is, as control planes are told', async (t) => {
  const { configs } = await dumpOf('?mask=bootstrap.node');
  t.match(configs[0].bootstrap.node, {
    id: 'n',
    user_agent_name: 'outrigger',
    user_agent_build_version: { version: { major_number: 1, minor_number: 2, patch: 3 } },
  });
});

t.test('fields have the names of the proto files, however they were written', async (t) => {
  const written = { staticResources: { clusters: [{ name: 'a', loadAssignment: { clusterName: 'a' } }] } };
  const { configs } = await dumpOf('?resource=static_clusters', written);
  t.match(configs, onlyItems({ cluster: { name: 'a', load_assignment: { cluster_name: 'a' } } }));
});

t.test('what cannot be asked is refused in the words of Envoy', async (t) => {
  t.match(await dumpOf('?resource=nothing'), { status: 404, text: 'nothing not found in config dump\n' });
  t.match(await dumpOf('?resource=bootstrap'), { status: 400, text: /^bootstrap is not a repeated field/ });
  t.match(await dumpOf('?resource=version_info'), { status: 400, text: /^version_info is not a repeated field/ });
  for (const kind of ['static_endpoint_configs', 'dynamic_endpoint_configs', 'ecds_filters']) {
    t.match(await dumpOf(`?resource=${kind}`), { status: 404, text: `${kind} not found in config dump\n` });
  }
  t.match(await dumpOf('?mask=nothing'), { status: 400, text: /^FieldMask nothing could not be/ });
  t.match(await dumpOf('?resource=static_clusters&mask=a.b'), { status: 400, text: /^FieldMask a\.b could not be/ });
  t.match(await dumpOf('?name_regex=('), { status: 400, text: /^Error while parsing name_regex from \(: / });
});

t.test('secrets do not leave, in either spelling, nested or not', async (t) => {
  const secret = 'MIIEsecret';
  const withKeys = {
    staticResources: {
      clusters: [
        { name: 'a', private_key: { inline_string: secret }, typed: [{ privateKey: { inlineBytes: secret } }] },
      ],
      listeners: [{ name: 'b', password: secret, certificate_chain: { inline_string: 'public' } }],
    },
    generic_secret: { secret: { inline_string: secret } },
  };
  const { text } = await dumpOf('', withKeys);
  t.notMatch(text, secret);
  t.match(text, /"privateKey": \{\s*"inlineBytes": "W3JlZGFjdGVkXQ=="/);
  t.match(text, /"inline_string": "public"/);
});

t.test('secrets of the bootstrap are shown by name, without their keys', async (t) => {
  const chain = { inline_string: 'public' };
  const secrets = [
    { name: 'own', tls_certificate: { certificate_chain: chain, private_key: { inline_string: 'MIIEsecret' } } },
    { name: 'tickets', session_ticket_keys: { keys: [{ inline_bytes: 'MIIEsecret' }] } },
  ];
  const { text, configs } = await dumpOf('?resource=static_secrets', { static_resources: { secrets } });
  t.notMatch(text, 'MIIEsecret');
  t.match(
    configs,
    onlyItems(
      {
        '@type': 'type.googleapis.com/envoy.admin.v3.SecretsConfigDump.StaticSecret',
        name: 'own',
        last_updated: undefined,
        secret: {
          '@type': /tls\.v3\.Secret$/,
          tls_certificate: { certificate_chain: chain, private_key: { inline_string: '[redacted]' } },
        },
      },
      { name: 'tickets' },
    ),
  );
});
