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
