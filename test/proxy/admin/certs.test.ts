import t from 'tap';
import { emptySnapshot } from '../../../config/snapshot.ts';
import { ServerState } from '../../../proxy/command/server-state.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { certificateSecret, trustSecret } from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const mesh = Authority.make(t.testdir(), 'mesh');
const leaf = mesh.issue({ subjectAltName: 'DNS:a.test,URI:spiffe://td/ns/a/sa/b,IP:::1' });
const certificate = certificateSecret('default', leaf);
const roots = trustSecret('ROOTCA', { roots: { kind: 'pem', pem: mesh.certificate } });
const secrets = new Map([
  ['a', certificate],
  ['b', roots],
  ['c', certificateSecret('broken', { ...leaf, privateKey: 'none' })],
]);

t.test('certs has the fields of Envoy, with an error in words, and no key', async (t) => {
  const admin = await startAdmin({ snapshot: { secrets } });
  t.teardown(admin.stop);
  const { text } = await admin.get('/certs');
  const date = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
  const { certificates } = JSON.parse(text);
  t.match(
    certificates,
    onlyItems(
      {
        ca_cert: noItems,
        cert_chain: onlyItems({
          path: '<inline>',
          serial_number: /^[0-9a-f]+$/,
          subject_alt_names: onlyItems({ dns: 'a.test' }, { uri: 'spiffe://td/ns/a/sa/b' }, { ip_address: '::1' }),
          days_until_expiration: '1',
          valid_from: date,
          expiration_time: date,
        }),
        secret_name: 'default',
      },
      { ca_cert: onlyItems({ days_until_expiration: '1' }), cert_chain: noItems, secret_name: 'ROOTCA' },
      { ca_cert: noItems, cert_chain: noItems, secret_name: 'broken', last_error: /^the private key cannot be read/ },
    ),
  );
  t.notMatch(text, /PRIVATE/);
  t.notMatch(text, leaf.privateKey.split('\n')[1]!);
  t.match((await admin.get('/stats?filter=days_until')).text, 'server.days_until_first_cert_expiring: 1');
});

t.test('ready tells of a certificate that nears its end, and fails when it has expired', async (t) => {
  let nowMs = Date.now();
  const state = new ServerState({
    concurrency: 1,
    restartEpoch: 0,
    version: '1.2.3',
    wallClock: () => nowMs,
  });
  state.setSnapshot({ ...emptySnapshot, secrets });
  const admin = await startAdmin({ options: { state } });
  t.teardown(admin.stop);
  t.equal((await admin.get('/ready')).status, 503);
  state.onApplied(1, []);
  const healthy = await admin.get('/ready');
  t.same([healthy.status, healthy.text], [200, 'LIVE\n']);
  nowMs += 1.9 * 86_400_000;
  const near = await admin.get('/ready');
  t.equal(near.status, 200);
  t.match(near.text, /^LIVE\nDEGRADED: the certificate default expires at /);
  nowMs += 86_400_000;
  const expired = await admin.get('/ready');
  t.equal(expired.status, 503);
  t.match(expired.text, /^EXPIRED: the certificate default expired at .*, and was not replaced\n$/);
});
