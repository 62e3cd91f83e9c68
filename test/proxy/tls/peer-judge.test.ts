import t from 'tap';
import type { TlsSession } from '../../../native/tls-session.ts';
import type { TlsStats } from '../../../proxy/telemetry/tls-stats.ts';
import { tlsFactsOf } from '../../../proxy/tls/facts.ts';
import { PeerJudge } from '../../../proxy/tls/peer-judge.ts';
import { compilePeerRules } from '../../../proxy/tls/peer-rules.ts';
import { validation } from '../../support/tls-config-fixtures.ts';

function judgeOf(changes = {}) {
  const counted: string[] = [];
  const stats = { count: (stat: string) => counted.push(stat), countAgreed: () => {} } as unknown as TlsStats;
  const rules = compilePeerRules(validation(changes));
  if (typeof rules === 'string') throw new Error(rules);
  return { judge: new PeerJudge({ rules, stats, wallClock: () => 0 }), counted };
}

function sessionOf(changes: object): TlsSession {
  const facts = { version: 0x0304, verifyResult: 0, isResumed: false, ownCertificate: () => undefined };
  return { ...facts, peerCertificates: () => [], ...changes } as unknown as TlsSession;
}

t.test('each failure of a handshake is counted once, as Envoy does', (t) => {
  const countedFor = (changes: object): readonly string[] => {
    const { judge, counted } = judgeOf();
    judge.onHandshakeFailed(sessionOf(changes));
    return counted;
  };
  t.same(countedFor({ problem: 'peer did not return a certificate' }), ['failVerifyNoCert']);
  t.same(countedFor({ problem: 'certificate verify failed: certificate has expired', verifyResult: 10 }), [
    'failVerifyError',
  ]);
  t.same(countedFor({ problem: 'http request' }), ['connectionError']);
  t.same(countedFor({ problem: 'alert certificate unknown' }), ['connectionError'], "the peer's refusal is not ours");
  t.end();
});

t.test('a certificate that cannot be read is refused where something is asked of it', (t) => {
  const session = sessionOf({ peerCertificates: () => [Buffer.from('no certificate')] });
  const asking = judgeOf({ certificateHashes: ['00'] });
  t.match(asking.judge.judge(session), /in a wrong form/);
  t.same(asking.counted, ['failVerifyError']);
  const untrusting = judgeOf({ acceptsUntrusted: true });
  t.equal(untrusting.judge.judge(session), undefined);
  t.same([tlsFactsOf({ session }).peer, tlsFactsOf({ session }).isPeerVerified], [null, false]);
  t.end();
});
