import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { OwnAdmin } from '../../../proxy/sidecar/own-admin.ts';

async function startAdmin(t: Test, status: number): Promise<{ readonly admin: OwnAdmin; readonly seen: string[] }> {
  const seen: string[] = [];
  const server = createServer(({ method, url }, response) => {
    seen.push(`${method} ${url}`);
    response.writeHead(status).end('LIVE\n');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.teardown(() => server.close());
  return { admin: new OwnAdmin((server.address() as AddressInfo).port), seen };
}

t.test('readiness and metrics are those of the admin interface', async (t) => {
  const { admin, seen } = await startAdmin(t, 200);
  t.same(await admin.readiness(), { isReady: true, reason: 'LIVE' });
  t.equal(await admin.metrics(), 'LIVE\n');
  t.equal(await admin.quit(), '');
  t.same(seen, ['GET /ready', 'GET /stats/prometheus', 'POST /quitquitquit']);
});

t.test('any other status is not ready, and gives no metrics', async (t) => {
  const { admin } = await startAdmin(t, 503);
  t.same(await admin.readiness(), { isReady: false, reason: 'LIVE' });
  await t.rejects(admin.metrics(), { message: 'the admin interface answered 503' });
  t.equal(await admin.quit(), 'the admin interface answered 503');
});

t.test('an interface that does not answer is a sidecar that is not ready', async (t) => {
  t.match(await new OwnAdmin(1).readiness(), { isReady: false, reason: /does not answer: .*ECONNREFUSED/ });
  t.match(await new OwnAdmin(1).quit(), /does not answer: .*ECONNREFUSED/);
});
