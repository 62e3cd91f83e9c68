import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { OwnAdmin } from '../../../proxy/sidecar/own-admin.ts';

async function startAdmin(
  t: Test,
  status: number,
  body = 'LIVE\n',
): Promise<{ readonly admin: OwnAdmin; readonly seen: string[] }> {
  const seen: string[] = [];
  const server = createServer(({ method, url }, response) => {
    seen.push(`${method} ${url}`);
    response.writeHead(status).end(body);
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
  t.equal(await admin.drain(), '');
  t.same(seen, [
    ...['GET /ready', 'GET /stats/prometheus', 'POST /quitquitquit'],
    'POST /drain_listeners?inboundonly&graceful&skip_exit',
  ]);
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

t.test('types that are followed, as /xds has them', async (t) => {
  const type = (name: string, more: object) => ({
    ...{ type_url: `type.googleapis.com/${name}`, held: 1, responses: 1, refused: false },
    ...more,
  });
  const types = [
    type('a.Accepted', { last_nack: { text: 'no' }, last_ack: {} }),
    type('a.Refused', { refused: true, last_ack: {}, last_nack: { text: 'no' } }),
    type('a.Never', { refused: true, held: 0, last_nack: { text: 'no' } }),
    type('a.Kept', { responses: 0 }),
  ];
  const { admin, seen } = await startAdmin(t, 200, JSON.stringify({ sources: [{ types }] }));
  const whole = { hasAnswer: true, isHeld: true, wasAccepted: true, refusal: undefined };
  t.same(await admin.followedTypes(), [
    { ...whole, name: 'a.Accepted' },
    { ...whole, name: 'a.Refused', refusal: 'no' },
    { ...whole, name: 'a.Never', isHeld: false, wasAccepted: false, refusal: 'no' },
    { ...whole, name: 'a.Kept', hasAnswer: false, wasAccepted: false },
  ]);
  t.same(seen, ['GET /xds?format=json']);
});

t.test('why types that are followed are not known', async (t) => {
  const { admin } = await startAdmin(t, 404);
  t.equal(await admin.followedTypes(), 'the admin interface answered 404');
  t.match(await new OwnAdmin(1).followedTypes(), /does not answer: .*ECONNREFUSED/);
});
