import { randomBytes } from 'node:crypto';
import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { TlsContext, type TlsServerOptions } from '../../native/tls-context.ts';
import { Authority, contextFor, passText, sessionPair, shakeHands } from '../support/tls-fixtures.ts';
import { meetNodeClient } from '../support/tls-node-client.ts';

const folder = t.testdir();
const mesh = Authority.make(`${folder}/mesh`, 'mesh');
const stranger = Authority.make(`${folder}/stranger`, 'stranger');
const [leaf, otherLeaf, caller] = [mesh.issue(), mesh.issue(), mesh.issue()];
const [oldKey, newKey] = [randomBytes(80), randomBytes(80)];
const options = {
  side: 'server',
  identity: leaf,
  trust: { roots: mesh.certificate },
  verification: 'optional',
  tickets: { identity: 'listener', keys: () => [oldKey] },
} as const satisfies TlsServerOptions;

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  const client = {
    ca: mesh.certificate,
    cert: caller.certificateChain,
    key: caller.privateKey,
    minVersion: version,
    maxVersion: version,
  };

  t.test(`${version}: tickets are taken back by every context with the same keys and rules`, async (t) => {
    const [one, two] = [contextFor(t, options), contextFor(t, options)];
    const first = await meetNodeClient(t, one, client);
    t.same([first.result, first.isResumed], [0, false]);
    const again = await meetNodeClient(t, two, { ...client, session: first.ticket });
    t.same([again.result, again.isResumed], [0, true]);
    const third = await meetNodeClient(t, one, { ...client, session: again.ticket });
    t.same([third.result, third.isResumed], [0, true], 'and so on');
    t.same(again.peerCertificates, first.peerCertificates.slice(0, 1), 'the client is who it was');
    t.end();
  });

  t.test(`${version}: an older key still opens, a newer one makes, an unknown one is a handshake`, async (t) => {
    let keys: readonly Uint8Array[] = [oldKey];
    const context = contextFor(t, { ...options, tickets: { identity: 'listener', keys: () => keys } });
    const { ticket } = await meetNodeClient(t, context, client);
    keys = [newKey, oldKey];
    const renewed = await meetNodeClient(t, context, { ...client, session: ticket });
    t.equal(renewed.isResumed, true);
    keys = [newKey];
    t.equal(
      (await meetNodeClient(t, context, { ...client, session: renewed.ticket })).isResumed,
      true,
      'under the new key',
    );
    const forgotten = await meetNodeClient(t, context, { ...client, session: ticket });
    t.same([forgotten.result, forgotten.isResumed], [0, false]);
    keys = [];
    const none = await meetNodeClient(t, context, { ...client, session: ticket });
    t.same([none.result, none.isResumed], [0, false], 'no keys, no tickets');
    t.end();
  });

  t.test(`${version}: a session is not taken back under other rules, though the keys are the same`, async (t) => {
    const { ticket } = await meetNodeClient(t, contextFor(t, options), client);
    const others: readonly [string, Partial<TlsServerOptions>][] = [
      ['another certificate', { identity: otherLeaf }],
      ['one more certificate', { otherIdentities: [otherLeaf] }],
      ['other roots', { trust: { roots: mesh.certificate + stranger.certificate } }],
      ['revocation', { trust: { roots: mesh.certificate, revocationLists: mesh.revokeLast(0) } }],
      ['a certificate required', { verification: 'required' }],
      ['untrusted ones let in', { acceptsUntrusted: true }],
      ['another listener', { tickets: { ...options.tickets, identity: 'other' } }],
    ];
    for (const [what, changes] of others) {
      const met = await meetNodeClient(t, contextFor(t, { ...options, ...changes }), { ...client, session: ticket });
      t.same([met.result, met.isResumed], [0, false], what);
    }
    t.end();
  });

  t.test(`${version}: without tickets nothing is resumed`, async (t) => {
    const { tickets: _, ...without } = options;
    const met = await meetNodeClient(t, contextFor(t, without), client);
    const again = await meetNodeClient(t, contextFor(t, without), { ...client, session: met.ticket });
    t.equal(again.isResumed, false);
    t.end();
  });
}

t.test('under TLS 1.3 a client has its ticket with the first data, and none before', (t) => {
  const identity = { identity: caller, trust: options.trust, verification: 'required' } as const;
  const pair = sessionPair(t, options, identity);
  t.same(shakeHands(pair), [0, 0]);
  t.equal(pair.client.look(), -Errno.EAGAIN);
  t.equal(pair.client.takeResumption(), undefined);
  t.equal(passText(pair.server, pair.client, 'the first of it'), 'the first of it');
  const resumption = pair.client.takeResumption();
  t.ok(resumption);
  t.equal(passText(pair.server, pair.client, 'and the rest'), 'and the rest');
  t.equal(pair.client.takeResumption(), undefined, 'one is enough');
  resumption?.free();
  t.end();
});

t.test('keys of another length are refused, and a context leaves nothing behind', (t) => {
  const refusal = TlsContext.create({ ...options, tickets: { identity: 'a', keys: () => [randomBytes(79)] } });
  t.equal(refusal, 'keys of tickets are 80 bytes');
  const context = TlsContext.create(options) as TlsContext;
  context.close();
  t.equal(context.isFreed, true);
  t.end();
});
