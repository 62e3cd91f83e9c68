import fc from 'fast-check';
import t from 'tap';
import { type AuditedCall, auditSpans } from '../../../proxy/audit/trust-audit.ts';
import { readSpans } from '../../../proxy/audit/trust-spans.ts';
import { exportOf, identityOf, shopTrace, type TracedSpan, tracedSpan } from '../../support/trusted-trace.ts';

/** All calls of the traces, those that led to others first. */
function callsOf(spans: readonly TracedSpan[]): readonly AuditedCall[] {
  const flat = (call: AuditedCall): readonly AuditedCall[] => [call, ...call.calls.flatMap(flat)];
  return auditSpans(readSpans(exportOf(spans))).flatMap(({ calls }) => calls.flatMap(flat));
}

function findings(spans: readonly TracedSpan[]): string {
  return callsOf(spans)
    .filter(({ verdict }) => verdict === 'broken')
    .map(({ span, findings }) => `${span.spanId.slice(-1)}: ${findings.join('; ')}`)
    .join('\n');
}

const changed = (span: TracedSpan, name: string, value: string): TracedSpan => ({
  ...span,
  attributes: new Map([...span.attributes, [name, value]]),
});

t.test('a trace as it was exported is proved, in any order', async (t) => {
  const spans = shopTrace();
  for (const order of [spans, [...spans].reverse()]) {
    t.same(
      callsOf(order).map(({ span, verdict }) => [span.spanId.slice(-1), verdict]),
      ['1', '2', '3', '4'].map((id) => [id, 'proved']),
    );
  }
  const [root] = auditSpans(readSpans(exportOf(spans)))[0]!.calls;
  t.equal(root!.calls[0]!.calls[0]!.calls[0]!.span.spanId.slice(-1), '4', 'a tree');
});

t.test('spans of applications lead from one call to the next', async (t) => {
  const [webOut, cartIn] = shopTrace();
  const work = { ...cartIn!, spanId: 'a'.repeat(16), parentSpanId: cartIn!.spanId, kind: 1, attributes: new Map() };
  const out = tracedSpan({
    id: 3,
    parent: { ...work, attributes: cartIn!.attributes },
    kind: 'client',
    own: 'cart',
    peer: 'payment',
  });
  t.equal(findings([webOut!, cartIn!, work, out]), '');
  t.equal(callsOf([webOut!, cartIn!, work, out]).length, 3);
  t.match(findings([webOut!, cartIn!, out]), /^3: its chain goes on from a span that is not in the file \(a{16}\)/);
});

t.test('a trace that a client outside began is proved from its first hop on', async (t) => {
  const outside = { ...shopTrace()[0]!, spanId: 'b'.repeat(16), attributes: new Map<string, string>() };
  t.equal(findings([tracedSpan({ id: 1, parent: outside, kind: 'server', own: 'web', peer: 'gateway' })]), '');
});

t.test('whatever is changed in one span breaks a link', async () => {
  const spans = shopTrace();
  const attribute = fc.constantFrom(
    'trust.issuer',
    'trust.peer_id',
    'trust.own_id',
    'trust.cert_hash',
    'trust.chain',
    'trust.transport',
  );
  const value = fc.constantFrom(
    '',
    'plain',
    'mtls',
    identityOf('thief').spiffeId,
    identityOf('web').spiffeId,
    '0'.repeat(64),
  );
  fc.assert(
    fc.property(fc.nat(3), attribute, value, (at, name, text) => {
      const tampered = spans.map((span, index) => (index === at ? changed(span, name, text) : span));
      const isSame = spans[at]!.attributes.get(name) === text;
      return (findings(tampered) === '') === isSame;
    }),
    { seed: 1 },
  );
});

t.test('a span that was taken out is missed by the one below', async (t) => {
  const spans = shopTrace();
  for (const at of [0, 1, 2]) {
    t.match(
      findings(spans.filter((_, index) => index !== at)),
      new RegExp(
        `^${at + 2}: its chain goes on from a span that is not in the file \\(0{15}${at + 1}\\): it was taken out`,
      ),
    );
  }
});

t.test('a link that was taken out whole is seen, though the parent was changed to hide it', async (t) => {
  const [webOut, , , paymentIn] = shopTrace();
  t.match(findings([webOut!, { ...paymentIn!, parentSpanId: webOut!.spanId }]), /^4: its chain does not fit/);
});

t.test('a call that was put in has no chain from its caller', async (t) => {
  const spans = shopTrace();
  const alone = tracedSpan({ id: 5, kind: 'client', own: 'cart', peer: 'vault' });
  t.match(findings([...spans, { ...alone, parentSpanId: spans[1]!.spanId }]), /^5: its chain does not fit/);
  const begun = tracedSpan({
    id: 6,
    parent: { ...spans[1]!, attributes: new Map() },
    kind: 'client',
    own: 'cart',
    peer: 'vault',
  });
  t.match(findings([...spans, begun]), /^6: its chain begins anew though its caller has one/);
});

t.test('identities that do not answer each other are named, though each chain fits', async (t) => {
  const [webOut] = shopTrace();
  const thiefIn = tracedSpan({ id: 2, parent: webOut!, kind: 'server', own: 'thief', peer: 'web' });
  t.match(
    findings([webOut!, thiefIn]),
    '2: spiffe://cluster.local/sa/web called spiffe://cluster.local/sa/cart, but spiffe://cluster.local/sa/thief got the call',
  );
  const byThief = tracedSpan({ id: 2, parent: webOut!, kind: 'server', own: 'cart', peer: 'thief' });
  t.match(findings([webOut!, byThief]), /^2: it was called by \S+thief, but the span above is of \S+web$/);
  const cartIn = tracedSpan({ id: 2, parent: webOut!, kind: 'server', own: 'cart', peer: 'web' });
  const stolen = tracedSpan({ id: 3, parent: cartIn, kind: 'client', own: 'thief', peer: 'payment' });
  t.match(findings([webOut!, cartIn, stolen]), /^3: it was sent by \S+thief, but \S+cart got the call/);
});

t.test('a plain connection proves nothing, and the next chain begins behind it', async (t) => {
  const plain = tracedSpan({ id: 1, kind: 'server', own: 'web' });
  const next = tracedSpan({ id: 2, parent: plain, kind: 'client', own: 'web', peer: 'cart' });
  t.same(
    callsOf([plain, next]).map(({ verdict }) => verdict),
    ['plain', 'proved'],
  );
  t.match(
    findings([changed(plain, 'trust.chain', 'c'.repeat(64)), next]),
    /^1: it says that its connection was plain, and has a chain/,
  );
});

t.test('spans that are twice there, or each other\u2019s parents, are found', async (t) => {
  const spans = shopTrace();
  t.match(findings([...spans, spans[3]!]), /^4: two spans of this trace have the id/);
  const [first, second] = spans;
  t.match(findings([{ ...first!, parentSpanId: second!.spanId }, second!]), /the spans above lead back to it/);
});
