import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { LineLog, LogFormat } from '../../../config/access-log.ts';
import { defaultTextFormat } from '../../../config/format-commands.ts';
import { AdminAccessLog } from '../../../proxy/admin/access-log.ts';
import type { LogBatch } from '../../../proxy/telemetry/access-log.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { until } from '../../support/tcp-proxy-fixtures.ts';

const sink = { kind: 'file', path: '/a.log' } as const;
const text = (format: string): LogFormat => ({ kind: 'text', format, omitEmptyValues: false });

/** An admin interface whose logs are kept as text. */
async function start(t: Test, log: Omit<LineLog, 'sink'>, runtime: ReadonlyMap<string, number> = new Map()) {
  const batches: LogBatch[] = [];
  const accessLog = new AdminAccessLog({
    logs: [{ sink, ...log }],
    write: (batch) => batches.push(batch),
    runtime: () => runtime,
    localIp: '192.0.2.9',
    random: () => 0.5,
    clock: () => 1000,
    wallClock: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  });
  const admin = await startAdmin({ options: { accessLog } });
  t.teardown(admin.stop);
  const lines = async (count: number) => {
    await until(() => batches.length >= count);
    return batches.map(({ bytes }) => Buffer.from(bytes).toString('latin1'));
  };
  return { admin, batches, lines };
}

t.test('each request is a line in the format of Envoy', async (t) => {
  const { admin, batches, lines } = await start(t, { format: text(defaultTextFormat) });
  const host = `127.0.0.1:${admin.port}`;
  const headers = { 'user-agent': 'me' };
  await (await fetch(`${admin.origin}/ready?a=b`, { headers: { ...headers, 'x-forwarded-for': '9.9.9.9' } })).text();
  await (await fetch(`${admin.origin}/logging`, { method: 'POST', body: 'abc', headers })).text();
  const missing = await (await fetch(`${admin.origin}/nothing`, { headers })).text();
  const help = await admin.get('/help');
  await fetch(`${admin.origin}/help`, { method: 'HEAD', headers });
  const written = await lines(5);
  t.match(batches[0], { sink, lines: 1 });
  t.equal(
    written[0],
    `[2026-01-02T03:04:05.006Z] "GET /ready?a=b HTTP/1.1" 503 - 0 13 0 - "9.9.9.9,192.0.2.9" "me" "-" "${host}" "-"\n`,
  );
  t.match(written[1], / "POST \/logging HTTP\/1\.1" 200 - 3 \d+ 0 - "192\.0\.2\.9" "me" "-" /);
  t.match(written[2], new RegExp(` "GET /nothing HTTP/1\\.1" 404 - 0 ${missing.length} 0 - `));
  t.match(written[4], new RegExp(` "HEAD /help HTTP/1\\.1" 200 - 0 ${help.text.length} 0 - `));
});

t.test('what is known of a request can be written', async (t) => {
  const commands = [
    'CONNECTION_ID',
    'DOWNSTREAM_REMOTE_ADDRESS',
    'DOWNSTREAM_DIRECT_REMOTE_ADDRESS',
    'DOWNSTREAM_LOCAL_ADDRESS',
    'RESPONSE_CODE_DETAILS',
    'RESP(SERVER)',
    'RESP(CONTENT-TYPE)',
    'REQ(:SCHEME)',
    'REQ(X-FORWARDED-PROTO)',
    'REQ(X-LONG)',
    'ACCESS_LOG_TYPE',
    'DOWNSTREAM_WIRE_BYTES_RECEIVED',
    'DOWNSTREAM_WIRE_BYTES_SENT',
    'UPSTREAM_HOST',
  ];
  const { admin, lines } = await start(t, { format: text(commands.map((command) => `%${command}%`).join(' ')) });
  const request = 'GET /ready HTTP/1.1\r\nHost: a\r\nX-Long: \xe9\r\n\r\n';
  const client = connect(admin.port, '127.0.0.1');
  t.teardown(() => client.destroy());
  let answer = '';
  client.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
  client.write(Buffer.from(request, 'latin1'));
  await until(() => answer.endsWith('\r\n0\r\n\r\n'));
  const firstLength = answer.length;
  client.write(Buffer.from(request, 'latin1'));
  await until(() => answer.length === 2 * firstLength);
  const own = `127.0.0.1:${client.localPort}`;
  const line = `1 ${own} ${own} 127.0.0.1:${admin.port} admin_filter_response outrigger text/plain; charset=UTF-8 http http \xe9 DownstreamEnd ${request.length} ${firstLength} -`;
  t.same(await lines(2), [line, line], 'of the same connection, each its own bytes');
});

t.test('filters are asked, with the runtime of the moment', async (t) => {
  const runtime = new Map([['least', 500]]);
  const filter = { kind: 'status-code', comparison: { op: 'ge', value: 100, runtimeKey: 'least' } } as const;
  const { admin, lines } = await start(t, { filter, format: text('%RESPONSE_CODE%') }, runtime);
  await admin.get('/nothing');
  runtime.set('least', 404);
  await admin.get('/help');
  await admin.get('/nothing');
  t.same(await lines(1), ['404']);
});

t.test('a client that leaves before its answer leaves a line with the reason', async (t) => {
  const { admin, lines } = await start(t, {
    format: text('%REQ(:METHOD)% %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED%'),
  });
  const client = connect(admin.port, '127.0.0.1');
  client.write('POST /quitquitquit HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab', () => client.end());
  t.same(await lines(1), ['POST 0 DC 2']);
  t.same(admin.calls, [], 'and did nothing');
});
