import t from 'tap';
import type { DynamicState, ResourceStatus } from '../../../config/dynamic-state.ts';
import { dumpedTypes, dynamicDump } from '../../../proxy/admin/dynamic-dump.ts';
import { DiscoveryClient } from '../../../xds/client/discovery-client.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { AssemblyBench, receivedOf } from '../../support/assembly-bench.ts';
import { HandClock, PlayedTransport } from '../../support/discovery-fixtures.ts';
import { clusterType, writeNode } from '../../support/discovery-messages.ts';
import { onlyItems } from '../../support/only-items.ts';

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
  t.match(
    clusters,
    onlyItems({
      version_info: 'v1',
      error_state: {
        version_info: 'v2',
        details: 'lb_policy: MAGLEV is not supported\nand more',
        failed_configuration: { lb_policy: 'MAGLEV' },
        last_update_attempt: '1970-01-01T00:00:01.000Z',
      },
      client_status: 'NACKED',
    }),
  );
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
    dynamic_listeners: onlyItems(
      { name: 'a', active_state: { listener: { name: 'a' } } },
      { name: 'b', warming_state: { listener: { name: 'b' } } },
      { name: 'c', draining_state: { listener: { name: 'c' } } },
    ),
  });
  t.equal(dynamicDump(state, everything).listeners()['dynamic_listeners']!.length, 3, 'what is absent has no entry');
});

t.test('only what is wanted is read', async (t) => {
  const unread = () => {
    throw new Error('a document that nobody asked for');
  };
  const state = stateOf(dumpedTypes.routes, statusOf('a'), statusOf('b', { document: unread }));
  const { dynamic_route_configs: routes } = dynamicDump(state, (name) => name === 'a').routes();
  t.match(routes, onlyItems({ route_config: { name: 'a' } }));
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
      route_config: { name: 'a', virtual_hosts: onlyItems({ name: 'written' }, { name: 'a/one' }, { name: 'a/two' }) },
      error_state: { failed_configuration: { '@type': /VirtualHost$/, name: 'bad' } },
      client_status: 'NACKED',
    });
    t.strictSame(Object.keys((b as { route_config: object }).route_config), ['@type', 'name'], 'it takes none');
    t.match(c, {
      route_config: { virtual_hosts: onlyItems({ name: 'c/one' }) },
      error_state: { failed_configuration: { lb_policy: 'MAGLEV' } },
    });
  },
);

/** A control plane that is followed with a clock by which every step of taking over is a slice. */
function followedBench() {
  const bench = new AssemblyBench();
  bench.assembler.start();
  const transport = new PlayedTransport('delta');
  const time = new HandClock();
  const client = new DiscoveryClient({
    name: 'ads',
    protocol: 'delta',
    node: writeNode('me'),
    setNodeOnFirstMessageOnly: true,
    transport,
    consumers: [bench.consumer('cds')],
    clock: () => (time.nowMs += 5),
    schedule: time.schedule,
    defer: time.defer,
    random: () => 0,
    log: () => {},
  });
  client.subscribe(clusterType, '*', 0);
  client.start();
  const state: DynamicState = {
    sources: () => [client.status()],
    warming: () => bench.assembler.warming,
    resources: (typeUrl) => bench.assembler.resources(typeUrl),
  };
  /** The connect timeout of each cluster says with which version it was sent. */
  const respond = (version: number, names: readonly string[], removed: readonly string[] = []): void => {
    const resources = names.map((name) => {
      const policy = name === 'wrong' ? ', lb_policy: CLUSTER_PROVIDED' : '';
      const yaml = `{name: ${name}, type: STATIC, connect_timeout: ${version}s, alt_stat_name: ${'x'.repeat(9000)}${policy}}`;
      return { name, version: `${version}`, bytes: receivedOf('cds', name, { yaml, version: '' }).message! };
    });
    transport.last.respond({ type: clusterType, version: `${version}`, nonce: `n${version}`, resources, removed });
  };
  return { bench, time, state, respond };
}

interface DumpedCluster {
  readonly version_info?: string;
  readonly cluster?: { readonly name: string; readonly connect_timeout: string };
  readonly error_state?: { version_info: string; failed_configuration: { name: string; connect_timeout: string } };
}

t.test('while a response is taken over, every version that is shown is that of what it stands beside', async (t) => {
  const { bench, time, state, respond } = followedBench();
  const admin = await startAdmin({ options: { dynamic: state } });
  t.teardown(() => admin.stop());
  const shown = async () => {
    const { dynamic_active_clusters = [] } = dynamicDump(state, everything).clusters();
    const clusters = dynamic_active_clusters.map((entry) => {
      const { version_info, cluster, error_state: error } = entry as DumpedCluster;
      if (cluster !== undefined) t.equal(cluster.connect_timeout, `${version_info}s`);
      if (error !== undefined) t.equal(error.failed_configuration.connect_timeout, `${error.version_info}s`);
      return `${cluster?.name ?? '-'} ${version_info ?? '-'} ${error?.version_info ?? '-'}`;
    });
    const { text } = await admin.get('/xds?format=json');
    const [{ version, held, responses, refused: isRefused }] = JSON.parse(text).sources[0].types;
    const section = dynamicDump(state, everything).version(dumpedTypes.cluster);
    return { clusters, version, held, responses, isRefused, section };
  };
  const settle = async () => {
    const seen = [await shown()];
    for (let turn = 0; turn < 40; turn++) {
      time.endTurn();
      bench.turn();
      seen.push(await shown());
    }
    return seen;
  };
  respond(1, ['a', 'b', 'c', 'wrong']);
  await settle();
  t.match(await shown(), {
    clusters: onlyItems('a 1 -', 'b 1 -', 'c 1 -', '- - 1'),
    version: '1',
    held: 3,
    responses: 1,
  });
  respond(2, ['a', 'b', 'wrong', 'd'], ['c']);
  const seen = await settle();
  t.match(seen.at(-1), {
    clusters: onlyItems('a 2 -', 'b 2 -', 'd 2 -', '- - 2'),
    version: '2',
    held: 3,
    responses: 2,
  });
  const halves = seen.filter(({ clusters }) => clusters.includes('a 2 -') && clusters.includes('b 1 -'));
  t.ok(halves.length > 0, 'it was seen half taken over');
  for (const { version, section, responses, isRefused } of halves) {
    t.same([version, section, responses, isRefused], ['1', '1', 1, true], 'what is said of responses is of whole ones');
  }
  for (const { clusters, version, section } of seen) {
    t.equal(version, section);
    if (version === '2')
      t.same(clusters, seen.at(-1)!.clusters, 'the new version is not said before all of it is there');
  }
});
