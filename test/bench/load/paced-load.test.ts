// The open-loop generator against origins whose delay is known. Bounds are such that no slow machine can break them: from
// above by what the origin itself has measured.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { runPacedLoad } from '../../../bench/load/paced-load.ts';

const DELAY_MS = 20;
const LOAD = { connections: 8, requestsPerSecond: 200, seconds: 1, expectedBody: 'body' };
const REQUEST = 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n';

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

t.test('a fixed delay is what the median reports', async (t) => {
  const answeredAtMs: number[] = [];
  const server = createServer(({ url }, response) =>
    setTimeout(() => {
      answeredAtMs[Number(url!.slice(1))] = performance.now();
      response.end('body');
    }, DELAY_MS),
  );
  t.teardown(() => server.close());
  const requests = Array.from({ length: 200 }, (_, number) => REQUEST.replace('/', `/${number}`));
  const port = await listen(server);
  const calledAtMs = performance.now();
  const outcome = await runPacedLoad({ ...LOAD, port, requests });
  t.equal(outcome.requests, 200);
  // Node's timers may fire up to 1 ms early.
  t.ok(outcome.p50Micros >= (DELAY_MS - 1) * 1000, `${outcome.p50Micros} us`);
  // How late the origin was itself, counted from a moment before the load began; the rest is the way back.
  const latenessMs = answeredAtMs.map((atMs, number) => atMs - calledAtMs - (number * 1000) / LOAD.requestsPerSecond);
  const medianMs = latenessMs.toSorted((left, right) => left - right)[100]!;
  t.ok(outcome.p50Micros < (medianMs + DELAY_MS) * 1000, `${outcome.p50Micros} us, the origin ${medianMs} ms`);
});

t.test('a stall is charged to every request that came due in it', async (t) => {
  const stallMs = 400;
  const release = Promise.withResolvers<void>();
  let stalled = false;
  const server = createServer((_, response) => {
    if (!stalled) setTimeout(release.resolve, stallMs);
    stalled = true;
    void release.promise.then(() => response.end('body'));
  });
  t.teardown(() => server.close());
  const outcome = await runPacedLoad({ ...LOAD, port: await listen(server), requests: [REQUEST] });
  // 80 of the 200 come due during the stall, and a closed loop would have seen only 8 of them.
  t.equal(outcome.requests, 200);
  t.ok(outcome.p99Micros >= (stallMs - 40) * 1000, `${outcome.p99Micros} us`);
});

t.test('a wrong body fails the load', async (t) => {
  const server = createServer((_, response) => response.end('bodx'));
  t.teardown(() => server.close());
  const load = runPacedLoad({ ...LOAD, port: await listen(server), requests: [REQUEST] });
  await t.rejects(load, { message: 'the body differs' });
});

t.test('a connection that closes fails the load', async (t) => {
  const server = createServer((request) => request.socket.end());
  t.teardown(() => server.close());
  const load = runPacedLoad({ ...LOAD, port: await listen(server), requests: [REQUEST] });
  await t.rejects(load, { message: 'the proxy closed a connection' });
});

t.test('several requests take turns', async (t) => {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url!);
    response.end('body');
  });
  t.teardown(() => server.close());
  const requests = ['/a', '/b', '/a', '/c'].map((path) => `GET ${path} HTTP/1.1\r\nHost: origin\r\n\r\n`);
  await runPacedLoad({ ...LOAD, port: await listen(server), requests });
  const counts = Object.groupBy(paths, (path) => path);
  t.same([counts['/a']?.length, counts['/b']?.length, counts['/c']?.length], [100, 50, 50]);
});

t.test('times are told when asked for, by the clock of all processes', async (t) => {
  const server = createServer((_, response) => response.end('body'));
  t.teardown(() => server.close());
  const port = await listen(server);
  const fromMs = Number(process.hrtime.bigint()) / 1e6;
  const { times } = await runPacedLoad({ ...LOAD, port, requests: [REQUEST], keepsTimes: true });
  const toMs = Number(process.hrtime.bigint()) / 1e6;
  t.equal(times!.dueMs.length, 200);
  t.equal(times!.answeredMs.length, 200);
  t.ok(Math.min(...times!.dueMs) > fromMs - 0.1 && Math.max(...times!.answeredMs) < toMs + 0.1);
  t.notOk((await runPacedLoad({ ...LOAD, port, requests: [REQUEST] })).times);
});
