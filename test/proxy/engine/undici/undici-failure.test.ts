// Errors of undici and of Node's sockets, in the words of the data plane.

import t from 'tap';
import { closeReason, exchangeFailure } from '../../../../proxy/engine/undici/undici-failure.ts';

const lost = { hasPeerEnded: false, notes: { idleBeforeMs: -1 } };

function errorOf(message: string, facts: { code?: string; errno?: number; name?: string } = {}): Error {
  return Object.assign(new Error(message), facts);
}

t.test('why a connection is gone', async (t) => {
  t.same(closeReason(errorOf('refused', { errno: -111, code: 'ECONNREFUSED' })), { kind: 'error', errno: 111 });
  t.same(closeReason(errorOf('other side closed', { code: 'UND_ERR_SOCKET' })), { kind: 'remote' });
  t.same(closeReason(errorOf('bad response', { code: 'UND_ERR_SOCKET' })), { kind: 'local' });
  t.same(closeReason(errorOf('reset', { code: 'UND_ERR_INFO' })), { kind: 'local' });
});

t.test('why an exchange is over', async (t) => {
  const kindOf = (error: Error, connection = lost) => exchangeFailure(error, connection).kind;
  t.equal(kindOf(errorOf('x', { name: 'HTTPParserError' })), 'protocol-error');
  t.equal(kindOf(errorOf('x', { code: 'UND_ERR_HEADERS_OVERFLOW' })), 'protocol-error');
  t.equal(kindOf(errorOf('bad response', { code: 'UND_ERR_SOCKET' })), 'protocol-error');
  t.equal(kindOf(errorOf('other side closed', { code: 'UND_ERR_SOCKET' })), 'connection-termination');
  t.equal(kindOf(errorOf('read', { errno: -104 })), 'connection-termination');
  const short = errorOf('x', { code: 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' });
  t.equal(kindOf(short), 'protocol-error', 'malformed, while the endpoint is still there');
  t.equal(kindOf(short, { ...lost, hasPeerEnded: true }), 'connection-termination', 'cut, when it has ended');
});

t.test('a request that undici refuses says so', async (t) => {
  const failure = exchangeFailure(errorOf('invalid request path', { code: 'UND_ERR_INVALID_ARG' }), lost);
  t.match(failure, { kind: 'protocol-error', reason: /undici does not carry this request: invalid request path/ });
});

t.test('a reused connection says how long it was idle', async (t) => {
  const failure = exchangeFailure(errorOf('read', { errno: -104 }), { ...lost, notes: { idleBeforeMs: 3200 } });
  t.match(failure.reason, /reused after 3\.2 s idle/);
});
