import t, { type Test } from 'tap';
import type { Bootstrap } from '../../../config/bootstrap.ts';
import type { ConfigSource, GrpcApi } from '../../../config/config-source.ts';
import { ConfigSources, type ConfigSourcesOptions } from '../../../xds/client/config-sources.ts';
import { openResourceCache, type ResourceCache } from '../../../xds/client/resource-cache.ts';
import type { DiscoveryTransport } from '../../../xds/client/transport.ts';
import { encodeMessage } from '../../../xds/message/wire-message.ts';
import { HandClock, PlayedTransport, RecordingConsumer } from '../../support/discovery-fixtures.ts';
import { clusterType, endpointType } from '../../support/discovery-messages.ts';
import { holdingConsumer } from '../../support/holding-consumer.ts';
import { onlyItems } from '../../support/only-items.ts';

const api = (cluster: string, more: Partial<GrpcApi> = {}): GrpcApi => ({
  protocol: 'delta',
  service: { target: { kind: 'cluster', cluster }, initialMetadata: [] },
  setNodeOnFirstMessageOnly: true,
  ...more,
});
const node = {
  id: 'me',
  cluster: 'c',
  locality: { region: '', zone: '', subZone: '' },
  metadata: {},
  wire: { id: 'me', cluster: 'c' },
};
const ads: ConfigSource = { kind: 'ads', initialFetchTimeoutMs: 0 };
const own = (grpc: GrpcApi): ConfigSource => ({ kind: 'grpc', api: grpc, initialFetchTimeoutMs: 0 });
const control = { name: 'control', endpoints: [], connectTimeoutMs: 1 };
const clusters = new RecordingConsumer(clusterType).type;
const endpoints = new RecordingConsumer(endpointType).type;

function made(
  t: Test,
  dynamicResources: Bootstrap['dynamicResources'] = { ads: api('control') },
  options: Partial<ConfigSourcesOptions> = {},
) {
  const time = new HandClock();
  const opened: { readonly method: string; readonly transport: PlayedTransport }[] = [];
  const consumers: string[] = [];
  const sources = new ConfigSources({
    bootstrap: { node, grpcClusters: new Map([['control', control]]), dynamicResources },
    types: () => [clusters, endpoints],
    makeConsumer: (type, sourceName) => {
      consumers.push(`${sourceName}: ${type.typeUrl.split('.').at(-1)}`);
      return holdingConsumer(type.typeUrl).consumer;
    },
    clock: time.clock,
    schedule: time.schedule,
    defer: time.defer,
    random: () => 0.5,
    log: () => undefined,
    makeTransport: ({ protocol }, method) => {
      const transport = new PlayedTransport(protocol);
      opened.push({ method, transport });
      return transport;
    },
    ...options,
  });
  t.teardown(() => sources.stop());
  return { sources, time, opened, consumers, cache: options.cache };
}

t.test('one aggregated stream carries every type', async (t) => {
  const { sources, opened, consumers, time } = made(t);
  const subscriptions = sources.subscriptions(ads, clusters);
  t.equal(sources.subscriptions({ ...ads, initialFetchTimeoutMs: 5 }, endpoints), subscriptions);
  t.same(consumers, ['ads: Cluster', 'ads: ClusterLoadAssignment']);
  subscriptions.subscribe(clusterType, '*', 0);
  subscriptions.subscribe(endpointType, 'a', 0);
  t.equal(opened[0]!.transport.streams.length, 0, 'not before the start');
  sources.start();
  time.endTurn();
  t.equal(opened.length, 1);
  t.match(opened[0]!.method, /DeltaAggregatedResources$/);
  t.match(
    opened[0]!.transport.last.take().map(({ type, node: id }) => [type, id]),
    onlyItems(onlyItems(clusterType, 'me'), onlyItems(endpointType, undefined)),
  );
  t.match(sources.statuses(), onlyItems({ name: 'ads', protocol: 'delta' }));
});

t.test('a stream begins with the whole node', async (t) => {
  const whole = { ...node.wire, metadata: { LABELS: { app: 'a' } }, clientFeatures: ['f'], userAgentName: 'outrigger' };
  const said: Uint8Array[] = [];
  const transport: DiscoveryTransport = {
    target: 'a test',
    open: () => ({ send: (encode) => void said.push(encode()), cancel: () => undefined }),
    close: () => undefined,
  };
  const { sources } = made(
    t,
    {},
    {
      bootstrap: {
        node: { ...node, wire: whole },
        grpcClusters: new Map([['control', control]]),
        dynamicResources: { ads: api('control') },
      },
      makeTransport: () => transport,
    },
  );
  sources.subscriptions(ads, clusters).subscribe(clusterType, '*', 0);
  sources.start();
  const sent = Buffer.from(encodeMessage(whole, 'envoy.config.core.v3.Node'));
  t.ok(Buffer.from(said[0]!).includes(sent));
});

t.test('a source of its own is shared by those who name the same', async (t) => {
  const { sources, opened, consumers } = made(t);
  sources.start();
  const first = sources.subscriptions(own(api('control')), endpoints);
  t.equal(opened[0]!.transport.streams.length, 1, 'opened at once, as the others are');
  t.equal(sources.subscriptions(own(api('control')), endpoints), first);
  const other = own(api('control', { protocol: 'state-of-the-world' }));
  t.not(sources.subscriptions(other, endpoints), first);
  t.not(sources.subscriptions(own(api('control')), clusters), first, 'a type has a stream of its own');
  t.same(consumers, [
    'clusterloadassignment control: ClusterLoadAssignment',
    'clusterloadassignment control (2): ClusterLoadAssignment',
    'cluster control: Cluster',
  ]);
  t.same(
    opened.map(({ method }) => method.split('/').at(-1)),
    ['DeltaEndpoints', 'StreamEndpoints', 'DeltaClusters'],
  );
});

t.test('after a stop every stream is cancelled, and none is opened for a source that is named later', async (t) => {
  const { sources, opened, time } = made(t);
  sources.subscriptions(ads, clusters).subscribe(clusterType, '*', 0);
  sources.subscriptions(own(api('control')), endpoints);
  sources.start();
  time.endTurn();
  sources.stop();
  t.strictSame(
    opened.map(({ transport }) => [transport.last.isCancelled, transport.isClosed]),
    [
      [true, true],
      [true, true],
    ],
  );
  sources.subscriptions(own(api('control', { protocol: 'state-of-the-world' })), endpoints);
  t.strictSame(
    opened.map(({ transport }) => transport.streams.length),
    [1, 1, 0],
  );
});

t.test('a stream of its own speaks the protocol, and says the node as often, as its source says', async (t) => {
  const { sources, opened, time } = made(t);
  sources.start();
  const source = own(api('control', { protocol: 'state-of-the-world', setNodeOnFirstMessageOnly: false }));
  sources.subscriptions(source, endpoints).subscribe(endpointType, 'a', 0);
  time.endTurn();
  const stream = opened[0]!.transport.last;
  stream.respond({ type: endpointType, version: '1', nonce: 'n', resources: [{ name: 'a' }] });
  t.strictSame(stream.take(), [
    { type: endpointType, node: 'me', names: ['a'] },
    { type: endpointType, node: 'me', names: ['a'], version: '1', nonce: 'n' },
  ]);
});

t.test('a file is a source', async (t) => {
  const { sources } = made(t);
  const file: ConfigSource = { kind: 'path', path: '/nowhere/eds.yaml', initialFetchTimeoutMs: 0 };
  t.equal(sources.nameOf(file, endpoints), 'clusterloadassignment /nowhere/eds.yaml');
  sources.subscriptions(file, endpoints).subscribe(endpointType, 'a', 0);
  t.match(sources.statuses(), onlyItems({ protocol: 'file', target: '/nowhere/eds.yaml' }));
});

t.test('what is named and is not there is a problem', async (t) => {
  const { sources } = made(t);
  t.equal(sources.problemWith(ads), undefined);
  t.equal(sources.problemWith(own(api('control'))), undefined);
  t.equal(sources.problemWith({ kind: 'path', path: '/a', initialFetchTimeoutMs: 0 }), undefined);
  t.equal(
    sources.problemWith(own(api('contol'))),
    'there is no static cluster "contol" for gRPC; did you mean "control"?',
  );
  t.throws(() => sources.subscriptions(own(api('contol')), clusters), /no static cluster/);
  const without = made(t, {}).sources;
  t.match(without.problemWith(ads), /there is no ads_config/);
  t.throws(() => without.subscriptions(ads, clusters), /there is no ads_config/);
});

t.test('what streams bring is kept for the next start, what files bring is on disk already', async (t) => {
  const directory = t.testdir({});
  const time = new HandClock();
  const open = () =>
    openResourceCache({ directory, identity: 'me', schedule: time.schedule, log: () => undefined }) as ResourceCache;
  const first = made(t, { ads: api('control') }, { cache: open() });
  first.sources.subscriptions(ads, clusters).subscribe(clusterType, '*', 0);
  first.sources.start();
  first.opened[0]!.transport.last.respond({ type: clusterType, nonce: 'n', resources: [{ name: 'a', version: '1' }] });
  await first.cache!.flush();
  const second = made(t, { ads: api('control') }, { cache: open() });
  second.sources.subscriptions(ads, clusters).subscribe(clusterType, '*', 0);
  second.sources.start();
  for (let turn = 0; turn < 10; turn++) second.time.endTurn();
  t.match(second.opened[0]!.transport.last.take(), onlyItems({ type: clusterType, initialVersions: { a: '1' } }));
});

t.test('what came over a stream of its own is not given to one that leads elsewhere', async (t) => {
  const directory = t.testdir({});
  const time = new HandClock();
  const open = () =>
    openResourceCache({ directory, identity: 'me', schedule: time.schedule, log: () => undefined }) as ResourceCache;
  const followed = (port: number) => {
    const endpoint = { kind: 'ip', ip: '127.0.0.1', port } as const;
    const grpcClusters = new Map([['control', { ...control, endpoints: [endpoint] }]]);
    const bootstrap = { node, grpcClusters, dynamicResources: {} };
    const started = made(t, {}, { cache: open(), bootstrap });
    started.sources.subscriptions(own(api('control')), clusters).subscribe(clusterType, '*', 0);
    started.sources.start();
    for (let turn = 0; turn < 10; turn++) started.time.endTurn();
    return { ...started, stream: started.opened[0]!.transport.last };
  };
  const first = followed(1);
  first.stream.respond({ type: clusterType, nonce: 'n', resources: [{ name: 'a', version: '1' }] });
  await first.cache!.flush();
  t.match(followed(1).stream.take(), onlyItems({ type: clusterType, initialVersions: { a: '1' } }));
  t.same(followed(2).stream.take(), [{ type: clusterType, node: 'me' }]);
});
