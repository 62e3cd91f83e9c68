import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { readWaitArguments, waitUntilReady } from '../../../proxy/command/wait.ts';

t.test('the arguments of Istio’s own command, with its defaults', async (t) => {
  t.same(readWaitArguments([]), {
    url: new URL('http://localhost:15021/healthz/ready'),
    timeoutMs: 60_000,
    requestTimeoutMs: 500,
    periodMs: 500,
  });
  const args = ['--url', 'http://127.0.0.1:1/a', '--timeoutSeconds=2', '--requestTimeoutMillis=3', '--periodMillis=4'];
  t.same(readWaitArguments(args), {
    url: new URL('http://127.0.0.1:1/a'),
    timeoutMs: 2000,
    requestTimeoutMs: 3,
    periodMs: 4,
  });
});

t.test('what is not understood is refused', async (t) => {
  for (const [args, message] of [
    [['--url=ftp://a'], /--url: ftp:\/\/a is no address/],
    [['--timeoutSeconds=0'], /--timeoutSeconds: must be a number above 0, not 0$/],
    [['--tmeout', '3'], /--tmeout: there is no such option; did you mean --timeoutSeconds\?/],
    [['http://a/'], /http:\/\/a\/: is no option: there are --url, /],
  ] as const) {
    t.throws(() => readWaitArguments(args), { name: 'ConfigError', message });
  }
});

t.test('it ends with the first 200', async (t) => {
  const statuses = [503, 503, 200];
  const server = createServer((_request, response) => response.writeHead(statuses.shift()!).end());
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const args = [`--url=http://127.0.0.1:${port}/`, '--periodMillis=1', '--requestTimeoutMillis=5000'];
  t.equal(await waitUntilReady(readWaitArguments(args)), undefined);
  t.same(statuses, []);
});

t.test('when the time is over the last reason is told', async (t) => {
  const args = ['--url=http://127.0.0.1:1/', '--timeoutSeconds=0.05', '--periodMillis=5'];
  t.match(await waitUntilReady(readWaitArguments(args)), /http:\/\/127\.0\.0\.1:1\/: connect ECONNREFUSED/);
});

t.test('a sidecar that does not answer in time is told as such', async (t) => {
  const server = createServer(() => undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const args = [`--url=http://127.0.0.1:${port}/`, '--timeoutSeconds=0.05', '--requestTimeoutMillis=100'];
  const reason = await waitUntilReady(readWaitArguments(args));
  t.equal(reason, `http://127.0.0.1:${port}/: no answer within 100 ms (--requestTimeoutMillis)`);
});
