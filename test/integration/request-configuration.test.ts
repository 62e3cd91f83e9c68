// A request is served by one configuration from its start to its end, whatever changes meanwhile.

import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import t from 'tap';
import type { SnapshotChange } from '../../config/snapshot.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  noMutations,
  routeOf,
  virtualHostOf,
} from '../support/data-plane.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { routeConfiguration } from '../support/route-fixtures.ts';
import { serveSnapshots } from '../support/served-snapshots.ts';

const source = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;

/** Everything to this cluster, whose name the response has. */
function routesTo(cluster: string): SnapshotChange['routes'] {
  const mark = { name: 'x-routes', value: cluster, action: 'append', keepEmptyValue: false } as const;
  const headers = { ...noMutations, responseAdd: [mark] };
  const routes = [routeOf('/', forwardTo(cluster, { timeoutMs: 0 }), { headers })];
  const table = routeConfiguration({ name: 'table', virtualHosts: [virtualHostOf(routes)] });
  return { set: [['table', table]], removed: [] };
}

function clustersAt(ports: { readonly [name: string]: number }, ...removed: string[]): SnapshotChange['clusters'] {
  return { set: Object.entries(ports).map(([name, port]) => [name, clusterOf(name, [port])]), removed };
}

interface Answer {
  readonly status: number | undefined;
  readonly routes: unknown;
  readonly body: string;
}

async function ask(port: number): Promise<Answer> {
  const asked = request({ host: '127.0.0.1', port, agent: false }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, routes: response.headers['x-routes'], body: await text(response) };
}

t.test('a request ends by the routes and the cluster that it began with, though both are gone', async (t) => {
  const held: ServerResponse[] = [];
  const arrivals: (() => void)[] = [];
  const first = await startHttpOrigin(t, (_, response) => {
    held.push(response);
    arrivals.shift()!();
  });
  const second = await startHttpOrigin(t, (_, response) => response.end('second'));
  const manager = managerOf([], { routes: { kind: 'rds', name: 'table', source } });
  const served = await serveSnapshots(t, {
    first: {
      clusters: clustersAt({ first }),
      routes: routesTo('first'),
      listeners: { set: [['http', httpListener('http', manager)]], removed: [] },
    },
  });
  const port = served.port('http');
  const arrived = new Promise<void>((resolve) => arrivals.push(resolve));
  const early = ask(port);
  await arrived;
  await served.serve({ clusters: clustersAt({ second }, 'first'), routes: routesTo('second') });
  t.same(await ask(port), { status: 200, routes: 'second', body: 'second' });
  held[0]!.end('first');
  t.same(await early, { status: 200, routes: 'first', body: 'first' });
});
