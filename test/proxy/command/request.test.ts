import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { askSidecar, readRequestArguments } from '../../../proxy/command/request.ts';

t.test('method, path and port, as pilot-agent takes them', (t) => {
  const whole = { method: 'GET', path: '/server_info', body: '', port: 15_000 };
  t.same(readRequestArguments(['get', 'server_info']), whole);
  t.same(readRequestArguments(['GET', '/server_info']), whole);
  t.same(readRequestArguments(['--debug-port=15020', 'POST', 'drain', 'text']), {
    ...{ method: 'POST', path: '/drain', body: 'text', port: 15_020 },
  });
  t.end();
});

t.test('what cannot be asked is refused with what would be right', (t) => {
  const rows: readonly [readonly string[], RegExp][] = [
    [[], /METHOD and PATH are needed/],
    [['GET'], /METHOD and PATH are needed/],
    [['GET', 'a', 'b', 'c'], /"c" is too much/],
    [['G T', 'a'], /"G T" is no method/],
    [['GET', 'a b'], /must be printable ASCII/],
    [['GET', 'a', '--debug-port', '22'], /--debug-port: 22 is not one of 15000, 15004, 15020, 15021/],
    [['GET', 'a', '--port', '22'], /--port: there is no such option; there are --debug-port/],
  ];
  for (const [args, message] of rows) t.throws(() => readRequestArguments(args), { name: 'ConfigError', message });
  t.end();
});

t.test('the answer is the body; a status of an error is one', async (t) => {
  const seen: unknown[] = [];
  const server = createServer(async (request, response) => {
    seen.push([request.method, request.url, await text(request)]);
    response.writeHead(request.url === '/bad' ? 503 : 200).end('body');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  t.equal(await askSidecar({ method: 'POST', path: '/drain', body: 'now', port }), 'body');
  t.same(seen, [['POST', '/drain', 'now']]);
  const bad = askSidecar({ method: 'GET', path: '/bad', body: '', port });
  await t.rejects(bad, { message: `GET /bad of port ${port} was answered 503: body` });
  const nobody = askSidecar({ method: 'GET', path: '/', body: '', port: 1 });
  await t.rejects(nobody, { message: /^port 1 does not answer: .*ECONNREFUSED/ });
});
