// Requests while endpoints, routes and listeners change 100 times a second: none fails, none is lost. For a few seconds
// in `npm test`, as long as `node test/integration/live-changes.test.ts --seconds 60` says.

import { parseArgs } from 'node:util';
import t, { type Test } from 'tap';
import type { Listener } from '../../config/listener.ts';
import type { RouteConfiguration } from '../../config/route.ts';
import type { SnapshotChange } from '../../config/snapshot.ts';
import { drainedLastRequestMs } from '../../proxy/http/connection-manager.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../support/cluster-fixtures.ts';
import { forwardTo, httpListener, managerOf, routeOf, virtualHostOf } from '../support/data-plane.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { routeConfiguration } from '../support/route-fixtures.ts';
import { serveSnapshots } from '../support/served-snapshots.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '3' } }, strict: false });
const durationMs = Number(values.seconds) * 1000;
t.setTimeout(durationMs + 900_000);

const changeIntervalMs = 10;
const clientCount = 8;
const source = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;

/** Answers with its own port. It never closes a connection that a request may be on its way to. */
function startOrigin(t: Test): Promise<number> {
  return startHttpOrigin(t, ({ socket }, response) => response.end(`origin-${socket.localPort}`), {
    keepAliveTimeout: 0,
  });
}

/** Members of a cluster: one of the origins, or two. */
function membersAt(ports: readonly number[], step: number): SnapshotChange['assignments'] {
  const chosen = [ports[step % ports.length]!, ports[(step * 7 + 1) % ports.length]!];
  const endpoints = [...new Set(chosen)].map((port) => makeEndpoint('127.0.0.1', { port }));
  return { set: [['app', makeAssignment([makeLocality(endpoints)])]], removed: [] };
}

function routesAt(step: number): SnapshotChange['routes'] {
  const action = forwardTo('app', { timeoutMs: 15_000 + step });
  const routes = [routeOf(`/${step}`, action), routeOf('/', action, { name: `step-${step}` })];
  const table: RouteConfiguration = routeConfiguration({ name: 'table', virtualHosts: [virtualHostOf(routes)] });
  return { set: [['table', table]], removed: [] };
}

/** Every second change is one of the filter chain only. */
function listenerAt(step: number): SnapshotChange['listeners'] {
  const manager = managerOf([], { routes: { kind: 'rds', name: 'table', source }, via: `step-${step}` });
  const listener: Listener = { ...httpListener('http', manager), backlog: 128 + Math.floor(step / 2) };
  return { set: [['http', listener]], removed: [] };
}

function changeAt(step: number, ports: readonly number[]): Partial<SnapshotChange> {
  // A listener is replaced ten times a second, as its connections have to be made anew each time.
  if (step % 10 === 9) return { listeners: listenerAt(step) };
  return step % 2 === 0 ? { assignments: membersAt(ports, step) } : { routes: routesAt(step) };
}

/** Sends requests on connections that are kept until the proxy says that they are to be closed. */
class KeepAliveClient {
  readonly #port: number;
  #connection: RawClient | null = null;
  #usedAtMs = 0;
  responses = 0;
  connections = 0;
  lateRequests = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** Undefined, or what was wrong. */
  async ask(): Promise<string | undefined> {
    if (this.#connection === null) {
      this.#usedAtMs = performance.now();
      this.#connection = await RawClient.open(this.#port);
      this.connections++;
    }
    const connection = this.#connection;
    const lastUsedAtMs = this.#usedAtMs;
    this.#usedAtMs = performance.now();
    connection.text = '';
    connection.socket.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    const text = await connection.until((received) => /\r\n\r\norigin-\d+$/.test(received));
    // On a busy machine this program comes to its turn after the time that an idle connection of a listener that went has for
    // a last request, or just before and the proxy later still. Such a request is sent again, as RFC 9112 section 9.3.1 says,
    // and counted.
    const sinceMs = performance.now() - lastUsedAtMs;
    if (text === '' && connection.outcome === 'end' && sinceMs >= drainedLastRequestMs) {
      this.lateRequests++;
      this.close();
      return undefined;
    }
    if (!/^HTTP\/1\.1 200 OK\r\n(.*\r\n)*\r\norigin-\d+$/.test(text)) return `${connection.outcome}: ${text}`;
    this.responses++;
    if (text.includes('\r\nconnection: close\r\n')) this.close();
    return undefined;
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
  }
}

t.test('100 changes a second of endpoints, routes and listeners cost no request', async (t) => {
  const ports = await Promise.all([startOrigin(t), startOrigin(t), startOrigin(t)]);
  const cluster = makeCluster({ name: 'app', discovery: { kind: 'eds', serviceName: 'app', source } });
  const served = await serveSnapshots(t, {
    first: {
      clusters: { set: [['app', cluster]], removed: [] },
      assignments: membersAt(ports, 0),
      routes: routesAt(0),
      listeners: listenerAt(0),
    },
  });
  let step = 0;
  const startedAtMs = performance.now();
  // A timer that comes late makes up for it.
  const changes = setInterval(() => {
    const due = (performance.now() - startedAtMs) / changeIntervalMs;
    while (step < due) served.change(changeAt(++step, ports));
  }, changeIntervalMs);
  t.teardown(() => clearInterval(changes));
  const failures: string[] = [];
  const clients = Array.from({ length: clientCount }, () => new KeepAliveClient(served.port('http')));
  const sum = (count: (client: KeepAliveClient) => number) => clients.reduce((total, each) => total + count(each), 0);
  // A busy machine takes longer to see as much.
  const isEnough = () =>
    performance.now() - startedAtMs >= durationMs &&
    sum((each) => each.responses) > 100 &&
    served.pool.generations.every((generation) => generation > 50);
  await Promise.all(
    clients.map(async (client) => {
      while (!isEnough()) {
        const failure = await client.ask();
        if (failure === undefined) continue;
        failures.push(failure);
        client.close();
      }
      client.close();
    }),
  );
  clearInterval(changes);
  await served.serve({ routes: routesAt(step + 1) });
  t.comment(
    `${step} changes, ${sum((each) => each.responses)} responses, ${sum((each) => each.connections)} connections, ` +
      `${sum((each) => each.lateRequests)} sent again`,
  );
  t.same(failures, []);
  const [first] = served.pool.generations;
  t.same(served.pool.generations, [first, first]);
});
