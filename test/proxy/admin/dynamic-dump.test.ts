import t from 'tap';
import type { DynamicState, ResourceStatus } from '../../../config/dynamic-state.ts';
import { dumpedTypes, dynamicDump } from '../../../proxy/admin/dynamic-dump.ts';

const prefix = 'type.googleapis.com/';
const everything = () => true;

function statusOf(name: string, given: Partial<ResourceStatus> = {}): ResourceStatus {
  return { name, version: 'v1', lastUpdatedMs: 0, state: 'active', document: () => ({ name }), ...given };
}

function stateOf(typeName: string, ...statuses: readonly ResourceStatus[]): DynamicState {
  return {
    sources: () => [],
    warming: () => ({ clusters: 0, listeners: 0 }),
    resources: (typeUrl) => (typeUrl === prefix + typeName ? statuses : []),
  };
}

const refused = {
  version: 'v2',
  atMs: 1000,
  problems: [
    { path: 'lb_policy', message: 'MAGLEV is not supported' },
    { path: '', message: 'and more' },
  ],
  document: () => ({ name: 'a', lb_policy: 'MAGLEV' }),
};

t.test('active and warming clusters have a list each, with version, type and time', async (t) => {
  const state = stateOf(dumpedTypes.cluster, statusOf('a'), statusOf('b', { state: 'warming' }));
  t.strictSame(dynamicDump(state, everything).clusters(), {
    dynamic_active_clusters: [
      {
        version_info: 'v1',
        cluster: { '@type': `${prefix}envoy.config.cluster.v3.Cluster`, name: 'a' },
        last_updated: '1970-01-01T00:00:00.000Z',
      },
    ],
    dynamic_warming_clusters: [
      {
        version_info: 'v1',
        cluster: { '@type': `${prefix}envoy.config.cluster.v3.Cluster`, name: 'b' },
        last_updated: '1970-01-01T00:00:00.000Z',
      },
    ],
  });
});

t.test('a refused change stands beside the state that is in use, with every problem', async (t) => {
  const { dynamic_active_clusters: clusters } = dynamicDump(
    stateOf(dumpedTypes.cluster, statusOf('a', { refused })),
    everything,
  ).clusters();
  t.match(clusters, [
    {
      version_info: 'v1',
      error_state: {
        version_info: 'v2',
        details: 'lb_policy: MAGLEV is not supported\nand more',
        failed_configuration: { lb_policy: 'MAGLEV' },
        last_update_attempt: '1970-01-01T00:00:01.000Z',
      },
      client_status: 'NACKED',
    },
  ]);
});

t.test('what never was accepted is shown with its error alone', async (t) => {
  const status = statusOf('a', { state: 'refused', refused });
  const [cluster] = dynamicDump(stateOf(dumpedTypes.cluster, status), everything).clusters()[
    'dynamic_active_clusters'
  ]!;
  t.strictSame(Object.keys(cluster as object), ['error_state', 'client_status']);
  const [listener] = dynamicDump(stateOf(dumpedTypes.listener, status), everything).listeners()['dynamic_listeners']!;
  t.strictSame(Object.keys(listener as object), ['name', 'error_state', 'client_status']);
});

t.test('a listener has a state for each of its lives', async (t) => {
  const state = stateOf(
    dumpedTypes.listener,
    statusOf('a'),
    statusOf('b', { state: 'warming' }),
    statusOf('c', { state: 'draining' }),
    statusOf('d', { state: 'absent' }),
  );
  t.match(dynamicDump(state, everything).listeners(), {
    dynamic_listeners: [
      { name: 'a', active_state: { listener: { name: 'a' } } },
      { name: 'b', warming_state: { listener: { name: 'b' } } },
      { name: 'c', draining_state: { listener: { name: 'c' } } },
    ],
  });
  t.equal(dynamicDump(state, everything).listeners()['dynamic_listeners']!.length, 3, 'what is absent has no entry');
});

t.test('only what is wanted is read', async (t) => {
  const unread = () => {
    throw new Error('a document that nobody asked for');
  };
  const state = stateOf(dumpedTypes.routes, statusOf('a'), statusOf('b', { document: unread }));
  const { dynamic_route_configs: routes } = dynamicDump(state, (name) => name === 'a').routes();
  t.match(routes, [{ route_config: { name: 'a' } }]);
});

t.test('keys of secrets do not leave', async (t) => {
  const document = () => ({ name: 's', tls_certificate: { private_key: { inline_bytes: 'TUlJRQ==' } } });
  const state = stateOf(dumpedTypes.secret, statusOf('s', { document }));
  const text = JSON.stringify(dynamicDump(state, everything).secrets());
  t.notMatch(text, 'TUlJRQ==');
  t.match(text, Buffer.from('[redacted]').toString('base64'));
});

t.test('bytes that are no message are not shown either', async (t) => {
  const state = stateOf(dumpedTypes.secret, statusOf('s', { document: () => 'TUlJRQ==' }));
  const { dynamic_active_secrets: secrets } = dynamicDump(state, everything).secrets();
  const secret = { '@type': prefix + dumpedTypes.secret, value: '[redacted]' };
  t.strictSame(secrets, [{ name: 's', version_info: 'v1', secret, last_updated: '1970-01-01T00:00:00.000Z' }]);
});

t.test('of assignments there is what stands beside the members', async (t) => {
  const never = statusOf('b', { state: 'refused', refused });
  const state = stateOf(dumpedTypes.assignment, statusOf('a'), never, statusOf('c', { state: 'absent' }));
  const entries = dynamicDump(state, everything).endpoints();
  t.same([...entries.keys()], ['a', 'b']);
  t.strictSame(entries.get('a'), { version_info: 'v1', last_updated: '1970-01-01T00:00:00.000Z' });
  t.match(entries.get('b'), { version_info: undefined, error_state: { version_info: 'v2' }, client_status: 'NACKED' });
});

t.test('a section has the version of the last response of its type', async (t) => {
  const type = {
    typeUrl: prefix + dumpedTypes.cluster,
    isWildcard: true,
    subscribed: [],
    heldCount: 0,
    version: '7',
    responses: 1,
    bytesReceived: 1,
    lastApplyMs: 0,
  };
  const source = {
    name: 'ads',
    target: 'x',
    protocol: 'delta',
    connection: { kind: 'connecting' },
    types: [type],
  } as const;
  const dump = dynamicDump(
    { sources: () => [source], warming: () => ({ clusters: 0, listeners: 0 }), resources: () => [] },
    everything,
  );
  t.equal(dump.version(dumpedTypes.cluster), '7');
  t.equal(dump.version(dumpedTypes.listener), '');
  t.equal(dump.endpoints().size, 0);
});

t.test(
  'virtual hosts that arrived apart stand in their route configuration, with the version of what came last',
  async (t) => {
    const table = { name: 'a', vhds: {}, virtual_hosts: [{ name: 'written' }] };
    const host = (name: string, given: Partial<ResourceStatus> = {}) =>
      statusOf(name, { version: 'v2', lastUpdatedMs: 1000, document: () => ({ name }), ...given });
    const routes = [
      statusOf('a', { document: () => table }),
      statusOf('b', { document: () => ({ name: 'b' }) }),
      statusOf('c', { document: () => ({ name: 'c', vhds: {} }), refused }),
    ];
    const hosts = [
      host('a/two'),
      host('a/one', { version: 'v3', lastUpdatedMs: 2000 }),
      host('a/asked', { state: 'absent' }),
      host('a/bad', { state: 'refused', refused: { ...refused, document: () => ({ name: 'bad' }) } }),
      host('b/none'),
      host('c/one', { refused }),
    ];
    const state: DynamicState = {
      ...stateOf(dumpedTypes.routes, ...routes),
      resources: (typeUrl) =>
        typeUrl === prefix + dumpedTypes.routes ? routes : typeUrl.endsWith('VirtualHost') ? hosts : [],
    };
    const { dynamic_route_configs: [a, b, c] = [] } = dynamicDump(state, everything).routes();
    t.match(a, {
      version_info: 'v3',
      last_updated: '1970-01-01T00:00:02.000Z',
      route_config: { name: 'a', virtual_hosts: [{ name: 'written' }, { name: 'a/one' }, { name: 'a/two' }] },
      error_state: { failed_configuration: { '@type': /VirtualHost$/, name: 'bad' } },
      client_status: 'NACKED',
    });
    t.strictSame(Object.keys((b as { route_config: object }).route_config), ['@type', 'name'], 'it takes none');
    t.match(c, {
      route_config: { virtual_hosts: [{ name: 'c/one' }] },
      error_state: { failed_configuration: { lb_policy: 'MAGLEV' } },
    });
  },
);
