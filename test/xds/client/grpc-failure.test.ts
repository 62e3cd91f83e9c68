import t from 'tap';
import { describeFailure } from '../../../xds/client/grpc-failure.ts';

t.test('a failure says where, what, and what to look at', async (t) => {
  const unreached = (details: string) => describeFailure({ code: 14, details, peer: 'p:1', isConnected: false }).reason;
  const rows: readonly (readonly [details: string, reason: string])[] = [
    [
      'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
      'connect ECONNREFUSED 127.0.0.1:1 (does the control plane run, and listen there?)',
    ],
    [
      'No connection established. Last error: self-signed certificate in chain (2026-11-21T18:00:00.000Z). Resolution note: x',
      'self-signed certificate in chain (is its certificate signed by one of the trusted roots?)',
    ],
    [
      'Name resolution failed for target dns:p:1',
      'Name resolution failed for target dns:p:1 (does DNS know the name?)',
    ],
    ['connect EACCES /a', 'connect EACCES /a (may this user open the socket?)'],
    ['the token in /a cannot be read: ENOENT', 'the token in /a cannot be read: ENOENT'],
    ['the token in /a cannot be read: EACCES', 'the token in /a cannot be read: EACCES'],
    ['something else', 'something else'],
    [
      'Failed to connect',
      'Failed to connect (it closed the connection at once: does it want TLS, which is not configured?)',
    ],
  ];
  for (const [details, reason] of rows) t.equal(unreached(details), `14 UNAVAILABLE: no connection to p:1: ${reason}`);
  const alert =
    '406D90B2B27F0000:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:a.c:918:x\n';
  t.match(unreached(alert), /: TLS: tlsv13 alert certificate required \(does it ask for a certificate of ours\?\)$/);
  t.match(unreached('read ECONNRESET'), /: read ECONNRESET \(it closed the connection at once: does it want TLS/);
  const secured = { code: 14, details: 'Failed to connect', peer: 'p:1', isConnected: false, isSecured: true };
  t.match(describeFailure(secured).reason, /Failed to connect$/, 'TLS was spoken, and something else is wrong');
  t.equal(unreached(''), '14 UNAVAILABLE: no connection to p:1');
});

t.test('a stream that was there ended', async (t) => {
  const ended = (code: number, details: string) => describeFailure({ code, details, peer: 'p:1', isConnected: true });
  t.same(ended(0, ''), { code: 0, reason: 'the stream was ended by p:1' });
  t.same(ended(8, 'Received message larger than max (300 vs 256)'), {
    code: 8,
    reason:
      '8 RESOURCE_EXHAUSTED: the stream to p:1 ended: Received message larger than max (300 vs 256) (a message may have 256 MiB)',
  });
  t.equal(ended(14, 'read ECONNRESET').reason, '14 UNAVAILABLE: the stream to p:1 ended: read ECONNRESET');
  t.equal(ended(99, 'x').reason, '99 UNKNOWN: the stream to p:1 ended: x');
});
