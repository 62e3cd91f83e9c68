// Retries and the lifetime of upstream connections through real sockets. Which failure is retried when is the business of
// `test/proxy/http/upstream-request.test.ts`; here is what endpoints see of it.

import t, { type Test } from 'tap';
import type { Cluster } from '../../config/cluster.ts';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { ForwardAction, RetryPolicy } from '../../config/route.ts';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../proxy/telemetry/http-stats.ts';
import { makeAssignment, makeEndpoint, makeLocality } from '../support/cluster-fixtures.ts';
import {
  clusterOf,
  type DataPlane,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { RawClient } from '../support/raw-client.ts';
import { type OriginConnection, RawOrigin } from '../support/raw-origin.ts';
import { retryPolicy } from '../support/route-fixtures.ts';

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

async function open(
  t: Test,
  cluster: Cluster,
  options: { action?: Partial<ForwardAction>; manager?: Partial<HttpConnectionManager> } = {},
): Promise<{ readonly client: RawClient; readonly plane: DataPlane }> {
  const routes = [routeOf('/', forwardTo('app', options.action ?? {}))];
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf(routes)], options.manager))],
    clusters: [cluster],
  });
  const client = await RawClient.open(plane.ports.get('http')!);
  t.teardown(async () => {
    client.close();
    await plane.stop();
  });
  return { client, plane };
}

function retrying(policy: Partial<RetryPolicy>): Partial<ForwardAction> {
  return { retryPolicy: retryPolicy({ backoffBaseMs: 1, backoffMaxMs: 2, ...policy }) };
}

/** Answers requests without a body: the n-th head with what `answer` says. */
function answering(
  answer: (head: number, connection: OriginConnection) => void,
): (connection: OriginConnection) => void {
  let heads = 0;
  return (connection) => {
    connection.onText = (added) => {
      for (let rest = added.split('\r\n\r\n').length - 1; rest > 0; rest--) answer(heads++, connection);
    };
  };
}

t.test('a request leaves an endpoint that refuses it for one that does not', async (t) => {
  const origin = await RawOrigin.start(
    t,
    answering((_, connection) => connection.write(hello)),
  );
  const retry = retrying({
    retryOn: ['connect-failure'],
    numRetries: 3,
    avoidPreviousHosts: true,
    hostSelectionMaxAttempts: 9,
  });
  // Nobody listens at port 1.
  const { client, plane } = await open(t, clusterOf('app', [1, origin.port]), { action: retry });
  for (let request = 1; request <= 4; request++) {
    await client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody');
    await client.until((text) => text.split('hello').length === request + 1);
  }
  t.equal(client.text.split('HTTP/1.1 200 OK').length, 5, 'the client sees no failure');
  t.equal(origin.text.split('\r\n\r\nbody').length, 5, 'each body arrived whole');
  t.ok(plane.stats.get(clusterStats, 'app')!.value(clusterStats.upstreamRqRetry) > 0);
});

t.test('a body that was on its way is sent again, whole', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.onText = (_, { index, socket, text }) => {
      if (index === 0 && /6\r\nfirst (\r\n)?$/.test(text)) socket.resetAndDestroy();
      else if (text.endsWith('\r\n0\r\n\r\n')) connection.write(hello);
    };
  });
  const { client } = await open(t, clusterOf('app', [origin.port]), { action: retrying({ retryOn: ['reset'] }) });
  await client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst \r\n');
  await origin.until(({ connections }) => /first (\r\n)?$/.test(connections[1]?.text ?? ''));
  await client.write('6\r\nsecond\r\n0\r\n\r\n');
  t.match(await client.until((text) => text.endsWith('hello')), /^HTTP\/1\.1 200 OK/);
  t.match(origin.connections[1]!.text, /\r\n\r\n6\r\nfirst \r\n6\r\nsecond\r\n0\r\n\r\n$/);
});

t.test('a bodiless response that is retried leaves its connection in use', async (t) => {
  const origin = await RawOrigin.start(
    t,
    answering((head, connection) =>
      connection.write(head === 0 ? 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n' : hello),
    ),
  );
  const { client } = await open(t, clusterOf('app', [origin.port]), { action: retrying({ retryOn: ['5xx'] }) });
  await client.write(get);
  t.match(await client.until((text) => text.endsWith('hello')), /^HTTP\/1\.1 200 OK/);
  t.equal(origin.connections.length, 1);
});

t.test('a host that is rewritten for each endpoint is remembered once', async (t) => {
  const origin = await RawOrigin.start(
    t,
    answering((head, connection) =>
      connection.write(head < 2 ? 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n' : hello),
    ),
  );
  const endpoints = ['one.example', 'two.example'].map((hostname) => ({
    ...makeEndpoint('127.0.0.1', { port: origin.port }),
    hostname,
  }));
  const assignment = makeAssignment([makeLocality(endpoints, { weight: 1 })]);
  const { client } = await open(t, clusterOf('app', [], { discovery: { kind: 'static', assignment } }), {
    action: {
      ...retrying({ retryOn: ['5xx'], numRetries: 2 }),
      hostRewrite: { kind: 'auto' },
      appendForwardedHost: true,
    },
  });
  await client.write(get);
  await client.until((text) => text.endsWith('hello'));
  const heads = origin.text.split('\r\n\r\n').slice(0, 3);
  for (const head of heads) {
    t.match(head, /\r\nhost: (one|two)\.example\r\n/i);
    t.match(`${head}\r\n`, /\r\nx-forwarded-host: a\r\n/);
    t.match(`${head}\r\n`, /\r\nx-envoy-original-host: a\r\n/);
  }
});

t.test('a header names the endpoint of an original-dst cluster that trusts one', async (t) => {
  const origin = await RawOrigin.start(
    t,
    answering((_, connection) => connection.write(hello)),
  );
  const cluster = clusterOf('app', [], {
    discovery: { kind: 'original-dst', cleanupIntervalMs: 5000, useHttpHeader: true, httpHeaderName: 'x-to' },
    loadBalancer: {
      policy: { kind: 'cluster-provided' },
      localityWeighted: false,
      healthyPanicThresholdPercent: 50,
    },
  });
  const { client } = await open(t, cluster);
  await client.write(`GET / HTTP/1.1\r\nHost: a\r\nX-To: 127.0.0.1:${origin.port}\r\n\r\n`);
  t.match(await client.until((text) => text.endsWith('hello')), /^HTTP\/1\.1 200 OK/);
  await client.write('GET / HTTP/1.1\r\nHost: a\r\nX-To: nowhere\r\n\r\n');
  t.match(await client.until((text) => text.includes('503')), /no healthy upstream/);
});

t.test('an upstream connection takes as many requests and lives as long as it may', async (t) => {
  const upstreamHttp = clusterOf('app', []).upstreamHttp;
  for (const limit of [{ maxRequestsPerConnection: 1 }, { maxConnectionDurationMs: 1 }]) {
    const origin = await RawOrigin.start(
      t,
      // Slower than the longest life that is allowed.
      answering((_, connection) => void setTimeout(() => connection.write(hello), 5)),
    );
    const cluster = clusterOf('app', [origin.port], { upstreamHttp: { ...upstreamHttp, ...limit } });
    const { client, plane } = await open(t, cluster);
    for (let request = 1; request <= 3; request++) {
      await client.write(get);
      await client.until((text) => text.split('hello').length === request + 1);
    }
    t.equal(origin.connections.length, 3, JSON.stringify(limit));
    const stats = plane.stats.get(clusterStats, 'app')!;
    t.equal(
      stats.value(clusterStats.upstreamCxMaxRequests) + stats.value(clusterStats.upstreamCxMaxDurationReached),
      3,
    );
  }
});

t.test('a downstream connection takes as many requests as it may, and says when it is over', async (t) => {
  const origin = await RawOrigin.start(
    t,
    answering((_, connection) => connection.write(hello)),
  );
  const { client, plane } = await open(t, clusterOf('app', [origin.port]), {
    manager: { maxRequestsPerConnection: 2 },
  });
  await client.write(get.repeat(3));
  const [first, second, third] = (await client.ended()).split('hello');
  t.notMatch(first, /connection: close/i);
  t.match(second, /connection: close/i);
  t.equal(third, '', 'the third request is not answered');
  t.equal(plane.stats.get(httpStats, 'test')!.value(httpStats.downstreamCxMaxRequestsReached), 1);
});

t.test('names of response headers are spelt as configured', async (t) => {
  const origin = await RawOrigin.start(
    t,
    answering((_, connection) =>
      connection.write('HTTP/1.1 200 OK\r\nx-some-THING: v\r\nContent-Length: 5\r\n\r\nhello'),
    ),
  );
  const http1 = { ...managerOf([]).http1, headerCase: 'proper-case' } as const;
  const { client } = await open(t, clusterOf('app', [origin.port]), { manager: { http1 } });
  await client.write(get);
  const text = await client.until((all) => all.endsWith('hello'));
  t.match(text, /\r\nX-Some-Thing: v\r\n/);
  t.match(text, /\r\nServer: envoy\r\n/);
});
