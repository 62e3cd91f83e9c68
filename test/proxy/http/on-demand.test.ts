// Requests that wait for what the control plane is asked for. How names are asked for: test/xds/assembly/on-demand-names.test.ts.

import t from 'tap';
import type { PerFilterConfig } from '../../../config/route.ts';
import { BodyFraming, type RequestHead } from '../../../proxy/http/message.ts';
import { waitingNamesOf } from '../../../proxy/http/on-demand.ts';
import type { Stream } from '../../../proxy/http/stream.ts';
import { ResponseFlag } from '../../../proxy/http/stream-info.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { seededRandom } from '../../support/cluster-fixtures.ts';
import { managerOf, routeOf, virtualHostOf } from '../../support/data-plane.ts';
import { bufferOf, Scene, type SceneOptions } from '../../support/http-fixtures.ts';
import { routeConfigurationOf } from '../../support/on-demand-mesh.ts';
import { forwardAction } from '../../support/route-fixtures.ts';

const byHeader = forwardAction({ target: { kind: 'cluster-header', header: 'x-cluster' } });

/** Requests to the cluster of their `x-cluster`. */
function clusterScene(options: SceneOptions & { readonly timeoutMs?: number } = {}) {
  const { timeoutMs = 5000, ...rest } = options;
  const manager = { onDemand: { name: 'demand', clusters: { timeoutMs } }, ...options.manager };
  return new Scene({ routes: [routeOf('/', byHeader)], ...rest, manager });
}

/** Routes without a virtual host, which arrive apart. */
function hostScene(options: SceneOptions = {}) {
  const { virtualHostSource, ...own } = routeConfigurationOf('routes', false);
  const routes = { ...own, hasVirtualHostSource: true } as const;
  const scene = new Scene({
    ...options,
    manager: { onDemand: { name: 'demand' }, ...options.manager, routes: { kind: 'inline', routes } },
  });
  const add = (...domains: readonly string[]) => {
    const added = [virtualHostOf([routeOf('/', forwardAction())], domains)];
    scene.manager.routes.update({ ...routes, virtualHosts: added }, [], added);
    scene.onDemand.lookAgain();
  };
  return { scene, add };
}

const cluster =
  (name: string, method = 'GET') =>
  (head: RequestHead) => {
    head.headers.append('x-cluster', name);
    head.method = method;
    if (method === 'POST') head.framing = BodyFraming.chunked;
  };
const host = (authority: string) => (head: RequestHead) => {
  head.authority = authority;
};

t.test('a request waits for its cluster, and goes on with the snapshot that has it', async (t) => {
  const scene = clusterScene();
  const { client, stream } = scene.request(cluster('late'));
  t.same(scene.demands, ['+late']);
  scene.onDemand.lookAgain();
  t.equal(client.ending, 'open', 'a snapshot without it changes nothing');
  scene.knownClusters.add('late');
  scene.onDemand.lookAgain();
  scene.respond(scene.connect(), 200, true);
  t.match(client, { status: 200, ending: 'ended' });
  t.same(scene.demands, ['+late', '-late']);
  scene.reactor.advance(60_000);
  t.equal(stream.info.responseCode, 200, 'its time is not counted any more');
});

t.test('however many wait for a name, it is asked for once, and let go with the last of them', async (t) => {
  const scene = clusterScene();
  const requests = [1, 2, 3].map(() => scene.request(cluster('late')));
  t.same(scene.demands, ['+late']);
  requests[0]!.stream.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'gone');
  t.same(scene.demands, ['+late']);
  scene.onDemand.refuse({ kind: 'cluster', name: 'late' }, 'absent');
  t.same(
    requests.map(({ client }) => client.status),
    [0, 503, 503],
  );
  t.same(scene.demands, ['+late', '-late']);
  scene.onDemand.refuse({ kind: 'cluster', name: 'late' }, 'absent');
});

t.test('what is not there is answered as without the filter', async (t) => {
  const scene = clusterScene();
  const { client, stream } = scene.request(cluster('missing'));
  scene.onDemand.refuse({ kind: 'cluster', name: 'missing' }, 'absent');
  t.match(client, { status: 503, body: 'cluster missing is not known' });
  t.equal(stream.info.responseCodeDetails, 'cluster_not_found');
  const { scene: hosts } = hostScene();
  const unknown = hosts.request(host('nowhere'));
  hosts.onDemand.refuse({ kind: 'virtual-host', routeConfiguration: 'routes', host: 'nowhere' }, 'absent');
  t.equal(unknown.client.status, 404);
  t.equal(unknown.stream.info.responseFlags, ResponseFlag.noRouteFound);
});

t.test(
  'a cluster is waited for as long as the filter says, a virtual host as long as the stream may be idle',
  async (t) => {
    const scene = clusterScene({ timeoutMs: 100 });
    const { client, stream } = scene.request(cluster('late'));
    scene.reactor.advance(99);
    t.equal(client.ending, 'open');
    scene.reactor.advance(1);
    t.equal(client.status, 503);
    t.equal(stream.info.responseCodeDetails, 'cluster_not_found');
    t.same(scene.demands, ['+late', '-late']);
    const { scene: hosts } = hostScene({ manager: { streamIdleTimeoutMs: 300 } });
    const waiting = hosts.request(host('a'));
    hosts.reactor.advance(300);
    t.equal(waiting.client.status, 504);
    t.same(hosts.demands, ['+routes/a', '-routes/a']);
  },
);

t.test('a request waits for the virtual host of its authority, whatever its case', async (t) => {
  const { scene, add } = hostScene();
  const { client } = scene.request(host('Shop.Example'));
  t.same(scene.demands, ['+routes/shop.example']);
  add('other');
  t.equal(client.ending, 'open');
  add('*.example');
  scene.respond(scene.connect(), 200, true);
  t.equal(client.status, 200);
});

t.test('no byte of a body is taken while its request waits', async (t) => {
  const scene = clusterScene();
  const { client, stream } = scene.request(cluster('late', 'POST'));
  t.equal(stream.acceptsRequestBody, false);
  scene.knownClusters.add('late');
  scene.onDemand.lookAgain();
  const connection = scene.connect();
  t.equal(stream.acceptsRequestBody, true);
  stream.onRequestData(bufferOf('body'), 0, 4);
  stream.onRequestEnd(null);
  scene.respond(connection, 200, true);
  t.equal(connection.requestBody, 'body');
  t.equal(client.status, 200);
  const refused = scene.request(cluster('missing', 'POST'));
  scene.onDemand.refuse({ kind: 'cluster', name: 'missing' }, 'absent');
  t.equal(refused.client.status, 503);
  t.equal(refused.stream.acceptsRequestBody, true, 'what still comes is taken and dropped');
});

t.test(
  'while a request waits, the time of its body stands still, and it is not for the client that it takes long',
  async (t) => {
    const scene = clusterScene({ manager: { requestTimeoutMs: 200, streamIdleTimeoutMs: 1000 }, timeoutMs: 0 });
    const { client, stream } = scene.request(cluster('late', 'POST'));
    scene.reactor.advance(900);
    t.equal(client.ending, 'open');
    scene.knownClusters.add('late');
    scene.onDemand.lookAgain();
    const connection = scene.connect();
    scene.reactor.advance(199);
    t.equal(client.ending, 'open');
    stream.onRequestEnd(null);
    scene.reactor.advance(500);
    t.equal(client.ending, 'open', 'it is idle since it goes on');
    scene.respond(connection, 200, true);
    t.equal(client.status, 200);
    const again = scene.request(cluster('other', 'POST'));
    scene.knownClusters.add('other');
    scene.onDemand.lookAgain();
    scene.connect();
    scene.reactor.advance(200);
    t.match(again.client, { status: 408 }, 'its time begins again');
    const vain = scene.request(cluster('missing', 'POST'));
    scene.reactor.advance(1000);
    t.match(vain.client, { status: 504 }, 'who lets us wait is not the client');
  },
);

t.test('more names than may be waited for are refused, here and by the main thread', async (t) => {
  const scene = clusterScene({ maxWaiting: 1 });
  scene.request(cluster('first'));
  const second = scene.request(cluster('second'));
  t.match(second.client, { status: 503, body: 'as many names as may be are waited for (on_demand)' });
  t.equal(second.stream.info.responseCodeDetails, 'on_demand_overflow');
  t.equal(second.stream.info.responseFlags, ResponseFlag.upstreamOverflow);
  t.same(scene.demands, ['+first']);
  const again = scene.request(cluster('first'));
  t.equal(again.client.ending, 'open', 'who waits for the same name needs no room');
  scene.onDemand.refuse({ kind: 'cluster', name: 'first' }, 'overflow');
  t.equal(again.stream.info.responseCodeDetails, 'on_demand_overflow');
});

/** Asks for clusters by name, as this client. */
function asking(scene: Scene) {
  return (client: string, name: string) => {
    scene.client = client;
    return scene.request(cluster(name));
  };
}
const isOpen = ({ client }: { readonly client: { readonly ending: string } }) => client.ending === 'open';
const go = ({ stream }: { readonly stream: Stream }) =>
  stream.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'gone');

t.test('one client has all names, and gives some of them to those who come, by their addresses', async (t) => {
  const scene = clusterScene({ maxWaiting: 8 });
  const ask = asking(scene);
  const own = Array.from({ length: 100 }, (_, index) => ask('192.0.2.1', `own-${index}`));
  t.equal(own.filter(isOpen).length, 8);
  t.match(own.at(-1)!.client, { status: 503, body: 'as many names as may be are waited for (on_demand)' });
  const others = [2, 3, 4].map((client) => ask(`192.0.2.${client}`, `name of ${client}`));
  t.ok(others.every(isOpen));
  const displaced = own[7]!;
  t.match(displaced.client, {
    status: 503,
    body: 'this client waited for more names than others, who need the room (on_demand)',
  });
  t.equal(displaced.stream.info.responseCodeDetails, 'on_demand_overflow');
  t.equal(displaced.stream.info.responseFlags, ResponseFlag.upstreamOverflow);
  t.same(scene.demands.slice(-6), ['-own-7', '+name of 2', '-own-6', '+name of 3', '-own-5', '+name of 4']);
  t.ok(own.slice(0, 5).every(isOpen), 'the oldest stay: they are nearer to their answer');
  t.ok(isOpen(ask('192.0.2.2', 'a second one')));
  t.ok(isOpen(ask('192.0.2.3', 'a second one of another')));
  t.equal(own.filter(isOpen).length, 3);
  t.notOk(isOpen(ask('192.0.2.2', 'a third')), 'as many as the one that has the most');
  go(own[0]!);
  t.ok(isOpen(ask('192.0.2.1', 'one more')), 'what it does not wait for any more is free');
});

t.test('a name for which others wait stays theirs when who asked first has to make room', async (t) => {
  const scene = clusterScene({ maxWaiting: 2 });
  const ask = asking(scene);
  const first = ask('192.0.2.1', 'first');
  const shared = ask('192.0.2.1', 'shared');
  const sharing = ask('192.0.2.2', 'shared');
  t.ok(isOpen(sharing), 'who waits for the same name needs no room');
  const third = ask('192.0.2.3', 'third');
  t.notOk(isOpen(shared));
  t.ok(isOpen(sharing));
  t.ok(isOpen(first), 'it has no more than others by now');
  t.notOk(isOpen(third));
  go(sharing);
  t.same(scene.demands, ['+first', '+shared', '-shared']);
  const again = ask('192.0.2.2', 'shared');
  const after = ask('192.0.2.1', 'shared');
  go(again);
  t.same(scene.demands, ['+first', '+shared', '-shared', '+shared'], 'the one who is left waits for it');
  ask('192.0.2.3', 'third');
  t.notOk(isOpen(after), 'and has two by now, of which the newer goes');
});

t.test('a client that asks for one name is let in, and stays, whatever fewer clients than names do', async (t) => {
  const maxWaiting = 12;
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const below = (count: number) => Math.floor(random() * count);
    const scene = clusterScene({ maxWaiting });
    const ask = asking(scene);
    // One place is left for the client that behaves.
    const hostile = Array.from({ length: 1 + below(maxWaiting - 1) }, (_, index) => `192.0.2.${index}`);
    let waiting: ReturnType<typeof ask>[] = [];
    const act = () => {
      // Names of others, too, and once the one that is to be asked for.
      if (random() < 0.85) waiting.push(ask(hostile[below(hostile.length)]!, `name-${below(40)}`));
      else if (waiting.length > 0) go(waiting.splice(below(waiting.length), 1)[0]!);
      waiting = waiting.filter(isOpen);
      const names = scene.demands.reduce((count, text) => count + (text.startsWith('+') ? 1 : -1), 0);
      if (names > maxWaiting) t.fail(`${names} names are waited for`);
    };
    for (let round = 0; round < 20; round++) {
      for (let step = 0; step < 40; step++) act();
      const good = ask('198.51.100.1', `name-${below(60)}`);
      if (!isOpen(good)) t.fail(`seed ${seed}, round ${round}: it was kept out by ${hostile.length}`);
      for (let step = 0; step < 40; step++) act();
      if (!isOpen(good)) t.fail(`seed ${seed}, round ${round}: it was put out by ${hostile.length}`);
      go(good);
    }
    for (const each of waiting) go(each);
    t.equal(scene.demands.filter((text) => text.startsWith('+')).length * 2, scene.demands.length, 'all let go');
  }
});

t.test('as many clients as there are names keep one more out', async (t) => {
  const scene = clusterScene({ maxWaiting: 12 });
  const ask = asking(scene);
  for (let client = 0; client < 12; client++) t.ok(isOpen(ask(`192.0.2.${client}`, `name of ${client}`)));
  t.notOk(isOpen(ask('198.51.100.1', 'one more')));
});

t.test('the addresses of one IPv6 network are one client, which may choose among all of them', async (t) => {
  const scene = clusterScene({ maxWaiting: 8 });
  const ask = asking(scene);
  const own = Array.from({ length: 20 }, (_, index) => {
    const address = `2001:db8:0:1:${index}::${index}`;
    return ask(address, `name of ${address}`);
  });
  t.equal(own.filter(isOpen).length, 8);
  for (const other of ['2001:db8:0:2::1', '192.0.2.1', '::ffff:192.0.2.2']) {
    t.ok(isOpen(ask(other, `name of ${other}`)), other);
  }
  t.equal(own.filter(isOpen).length, 5);
  t.ok(isOpen(ask('192.0.2.2', 'own')));
  t.equal(own.filter(isOpen).length, 4, 'however an IPv4 address is written it is a client of its own');
});

t.test('workers share the names that are waited for', async (t) => {
  t.same([1, 2, 4, 64, 129, 1000].map(waitingNamesOf), [1024, 1024, 512, 32, 15, 2]);
  for (let workers = 1; workers <= 2048; workers++) {
    if (workers * waitingNamesOf(workers) > 2048) t.fail(`${workers} workers wait for more than 2,048`);
  }
});

t.test('names of a length that nobody has are not asked for', async (t) => {
  const scene = clusterScene();
  t.equal(scene.request(cluster('c'.repeat(1025))).client.status, 503);
  t.equal(scene.request().client.status, 503, 'no name at all');
  const { scene: hosts } = hostScene();
  t.equal(hosts.request(host('h'.repeat(1025))).client.status, 404);
  t.same([...scene.demands, ...hosts.demands], []);
});

t.test('nothing is asked for without the filter, by it alone, or where all virtual hosts are known', async (t) => {
  const without = new Scene({ routes: [routeOf('/', byHeader)] });
  t.equal(without.request(cluster('late')).client.status, 503);
  const hostsOnly = clusterScene({ manager: { onDemand: { name: 'demand' } } });
  t.equal(hostsOnly.request(cluster('late')).client.status, 503);
  const whole = new Scene({ routes: [], manager: { onDemand: { name: 'demand' } } });
  t.equal(whole.request().client.status, 404);
  t.same([...without.demands, ...hostsOnly.demands, ...whole.demands], []);
});

t.test('what is set nearest to the request says whether clusters are asked for', async (t) => {
  const asks = (perFilterConfig: PerFilterConfig, ofFilter: boolean) => {
    const clusters = ofFilter ? { clusters: { timeoutMs: 0 } } : {};
    const scene = new Scene({
      routes: [routeOf('/', byHeader, { perFilterConfig })],
      manager: { onDemand: { name: 'demand', ...clusters } },
    });
    scene.request(cluster('late'));
    return scene.demands.length === 1;
  };
  t.ok(asks({}, true));
  t.ok(asks({ demand: { disabled: false, onDemand: { clusters: { timeoutMs: 0 } } } }, false));
  t.notOk(asks({ demand: { disabled: false, onDemand: {} } }, true));
  t.notOk(asks({ demand: { disabled: true } }, true));
  t.ok(asks({ demand: { disabled: false } }, true));
  t.ok(asks({ other: { disabled: true } }, true));
  const asksBy = (perFilterConfig: PerFilterConfig, ofRoute: PerFilterConfig = {}) => {
    const { routes } = managerOf([virtualHostOf([routeOf('/', byHeader, { perFilterConfig: ofRoute })])]);
    if (routes.kind !== 'inline') throw new Error('the routes are elsewhere');
    const scene = new Scene({
      manager: {
        onDemand: { name: 'demand' },
        routes: { kind: 'inline', routes: { ...routes.routes, perFilterConfig } },
      },
    });
    scene.request(cluster('late'));
    return scene.demands.length === 1;
  };
  const on = { demand: { disabled: false, onDemand: { clusters: { timeoutMs: 0 } } } };
  t.ok(asksBy(on), 'the whole route configuration');
  t.notOk(asksBy(on, { demand: { disabled: true } }), 'the route is nearer');
  t.notOk(asksBy({}));
});

t.test('a request that waits is counted once', async (t) => {
  const scene = clusterScene();
  scene.request(cluster('late'));
  scene.knownClusters.add('late');
  scene.onDemand.lookAgain();
  scene.respond(scene.connect(), 200, true);
  const { scene: hosts, add } = hostScene();
  hosts.request(host('a'));
  add('a');
  hosts.respond(hosts.connect(), 200, true);
  for (const { stats } of [scene, hosts]) {
    t.equal(stats.get(httpStats, 'test')?.value(httpStats.rqTotal), 1);
    t.equal(stats.get(httpStats, 'test')?.value(httpStats.downstreamRqTotal), 1);
  }
});
