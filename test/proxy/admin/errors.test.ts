import t from 'tap';
import type { LatestError } from '../../../proxy/export/latest-errors.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

const error: LatestError = {
  atMs: Date.UTC(2026, 10, 21, 12, 0, 0, 5),
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  service: 'payment',
  route: 'checkout',
  method: 'POST',
  status: 503,
  grpcStatus: null,
  flags: 'UF',
  sentence: 'POST checkout was answered with 503 after 1.0 ms: connection refused',
};

t.test('errors have their time, their trace id and a sentence', async (t) => {
  const latest = [error, { ...error, traceId: 'b'.repeat(32) }];
  const admin = await startAdmin({ options: { tracing: { overview: () => null, latestErrors: () => latest } } });
  t.teardown(() => admin.stop());
  t.equal(
    (await admin.get('/errors')).text.split('\n').slice(0, 2).join('\n'),
    '2026-11-21T12:00:00.005Z 4bf92f3577b34da6a3ce929d0e0e4736 UF payment checkout\n  POST checkout was answered with 503 after 1.0 ms: connection refused',
  );
  t.strictSame(JSON.parse((await admin.get('/errors?format=json')).text), { errors: latest });
  t.strictSame(JSON.parse((await admin.get('/overview')).text).errors, latest);
  t.equal((await admin.get('/errors?format=xml')).status, 400);
});

t.test('without errors it says so', async (t) => {
  const admin = await startAdmin();
  t.teardown(() => admin.stop());
  t.equal((await admin.get('/errors')).text, 'No error was traced.\n');
});

t.test('the newest is first, whatever order the errors of one second came in', async (t) => {
  const latest = [1, 3, 2].map((ms) => ({ ...error, atMs: error.atMs + ms, traceId: String(ms).repeat(32) }));
  const admin = await startAdmin({ options: { tracing: { overview: () => null, latestErrors: () => latest } } });
  t.teardown(() => admin.stop());
  const newestFirst = [latest[1], latest[2], latest[0]];
  t.strictSame(JSON.parse((await admin.get('/errors?format=json')).text).errors, newestFirst);
  t.strictSame(JSON.parse((await admin.get('/overview')).text).errors, newestFirst);
  t.strictSame(
    (await admin.get('/errors')).text.match(/ \d{32} /g)!.map((id) => id.trim()[0]),
    ['3', '2', '1'],
  );
});

t.test('a sentence is one line and of a length to be read, and JSON has all of it', async (t) => {
  const latest = Array.from({ length: 30 }, (_, at) => ({
    ...error,
    traceId: String(at).padStart(32, '0'),
    service: 'a\nb',
    sentence: `\u001b[31m${'s'.repeat(65_536)}`,
  }));
  const admin = await startAdmin({ options: { tracing: { overview: () => null, latestErrors: () => latest } } });
  t.teardown(() => admin.stop());
  const lines = (await admin.get('/errors')).text.split('\n');
  t.equal(lines.length, 61);
  t.match(lines[0], /UF a\\x0ab checkout$/);
  t.equal(lines[1], `  \\x1b[31m${'s'.repeat(994)}…`);
  const page = JSON.parse((await admin.get('/overview')).text).errors as LatestError[];
  t.equal(page.length, 20);
  t.ok(page.every(({ sentence }) => sentence.length === 1000));
  t.strictSame(JSON.parse((await admin.get('/errors?format=json')).text).errors, latest);
});
