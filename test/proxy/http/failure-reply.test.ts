import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import type { UpstreamFailure } from '../../../proxy/cluster/upstream-failure.ts';
import { cutResponse, failureReply, resetKind, transportFailureReason } from '../../../proxy/http/failure-reply.ts';
import { ResponseFlag } from '../../../proxy/http/stream-info.ts';

const failure = (kind: UpstreamFailure['kind']): UpstreamFailure => ({ kind, reason: 'no' });

t.test('each failure has the status, flag and detail of Envoy', async (t) => {
  const expected = {
    'connect-failure': [503, ResponseFlag.upstreamConnectionFailure, 'remote_connection_failure'],
    'connect-timeout': [503, ResponseFlag.upstreamConnectionFailure, 'connection_timeout'],
    'connection-termination': [503, ResponseFlag.upstreamConnectionTermination, 'connection_termination'],
    'protocol-error': [502, ResponseFlag.upstreamProtocolError, 'protocol_error'],
    overflow: [503, ResponseFlag.upstreamOverflow, 'overflow'],
  } as const;
  for (const [kind, [status, flags, word]] of Object.entries(expected)) {
    const reply = failureReply(failure(kind as UpstreamFailure['kind']), false);
    t.match(reply, { status, flags, details: `upstream_reset_before_response_started{${word}}` }, kind);
    t.equal(reply.body.split('reset reason: ')[1], word.replaceAll('_', ' '), kind);
  }
});

t.test('a connection that the kernel could not make is named as in the logs of Envoy', async (t) => {
  const refused: UpstreamFailure = { kind: 'connect-failure', reason: 'connection refused', errno: Errno.ECONNREFUSED };
  t.equal(
    failureReply(refused, false).details,
    'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
  );
  t.equal(transportFailureReason(refused), 'delayed_connect_error:_Connection_refused');
  t.equal(transportFailureReason({ ...refused, errno: Errno.EINVAL }), '', 'what is not known is not made up');
  t.equal(transportFailureReason(failure('overflow')), '');
});

t.test('a connection that TLS could not be established on says why, in one word', async (t) => {
  const tlsProblem = 'the certificate is for other names: a}$&b';
  const failed: UpstreamFailure = { kind: 'connect-failure', reason: `TLS: ${tlsProblem}`, tlsProblem };
  const word = 'TLS_error:_the_certificate_is_for_other_names:_a}$&b';
  t.equal(transportFailureReason(failed), word);
  t.equal(
    failureReply(failed, false).details,
    `upstream_reset_before_response_started{remote_connection_failure|${word}}`,
  );
});

t.test('a reply after a retry says so', async (t) => {
  t.equal(
    failureReply(failure('overflow'), true).body,
    'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: overflow',
  );
});

t.test('policies know connection failures and resets; an open breaker is never asked again', async (t) => {
  t.equal(resetKind(failure('connect-failure')), 'connect-failure');
  t.equal(resetKind(failure('connect-timeout')), 'connect-failure');
  t.equal(resetKind(failure('connection-termination')), 'reset');
  t.equal(resetKind(failure('protocol-error')), 'reset');
  t.equal(resetKind(failure('overflow')), null);
});

t.test('a response that was cut is flagged by what cut it', async (t) => {
  t.match(cutResponse(failure('protocol-error')), {
    flag: ResponseFlag.upstreamProtocolError,
    details: /protocol_error/,
  });
  t.match(cutResponse(failure('connection-termination')), {
    flag: ResponseFlag.upstreamConnectionTermination,
    details: 'upstream_reset_after_response_started{connection_termination}',
  });
});
