import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { type ChainLink, trustAttributes, trustChain } from '../../../proxy/tracing/trust.ts';

const peer = {
  issuer: 'O=cluster.local',
  spiffeId: 'spiffe://cluster.local/ns/shop/sa/web',
  certificateSha256: 'ab'.repeat(32),
};
const link: ChainLink = {
  received: '',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  parentSpanId: '',
  spanId: '00f067aa0ba902b7',
  ownId: 'spiffe://cluster.local/ns/shop/sa/cart',
  peer,
};

t.test('a chain is the digest of all that takes part, and begins with root', async (t) => {
  const text =
    '4:root,32:4bf92f3577b34da6a3ce929d0e0e4736,0:,16:00f067aa0ba902b7,38:spiffe://cluster.local/ns/shop/sa/cart,' +
    `37:spiffe://cluster.local/ns/shop/sa/web,15:O=cluster.local,64:${'ab'.repeat(32)},`;
  t.equal(trustChain(link), createHash('sha256').update(text).digest('hex'));
});

t.test('a change of any part changes the chain, also when it moves from one part to the next', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', ',', ':', '1', '\u00e9'), maxLength: 4 });
  const links = fc.record({
    received: text.filter((received) => received !== ''),
    traceId: text,
    parentSpanId: text,
    spanId: text,
    ownId: text,
    peer: fc.record({ issuer: text, spiffeId: text, certificateSha256: text }),
  });
  fc.assert(
    fc.property(links, links, (left, right) => {
      return (JSON.stringify(left) === JSON.stringify(right)) === (trustChain(left) === trustChain(right));
    }),
    { seed: 4, numRuns: 1000 },
  );
});

t.test('a span over a plain connection says so and nothing else', async (t) => {
  t.same(trustAttributes(null, link.ownId), [['trust.transport', 'plain']]);
  t.same(trustAttributes(peer, link.ownId), [
    ['trust.transport', 'mtls'],
    ['trust.issuer', peer.issuer],
    ['trust.peer_id', peer.spiffeId],
    ['trust.own_id', link.ownId],
    ['trust.cert_hash', peer.certificateSha256],
  ]);
});
