import t from 'tap';
import { IdleConnections } from '../../../proxy/cluster/idle-connections.ts';
import { Http1ClientConnection } from '../../../proxy/http/http1/client-connection.ts';
import { OutputBuffer } from '../../../proxy/http/http1/output-buffer.ts';

const output = new OutputBuffer();
const owner = {
  turn: 0,
  variant: null,
  onConnectionEstablished() {},
  onConnectionIdle() {},
  onConnectionClosed() {},
};

function connection(): Http1ClientConnection {
  return new Http1ClientConnection(owner, output, { maxHeadersBytes: 1024, maxHeadersCount: 10 });
}

t.test('the youngest of an earlier turn is taken first, the longest idle last', async (t) => {
  const idle = new IdleConnections();
  const [first, second] = [connection(), connection()];
  idle.push(first, 1);
  idle.push(second, 2);
  t.equal(idle.pop(3), second);
  t.equal(idle.pop(3), first);
  t.equal(idle.pop(3), null);
});

t.test('one that became idle in this turn is taken only when there is no other, and says so', async (t) => {
  const idle = new IdleConnections();
  const [settled, recent] = [connection(), connection()];
  idle.push(settled, 1);
  idle.push(recent, 2);
  t.equal(idle.pop(2), settled);
  t.not(settled.notes.idleSinceTurn, 2);
  t.equal(idle.pop(2), recent);
  t.equal(recent.notes.idleSinceTurn, 2);
});

t.test('a connection that was closed is not given out, settled or not', async (t) => {
  const idle = new IdleConnections();
  const [settled, recent] = [connection(), connection()];
  idle.push(settled, 1);
  idle.push(recent, 2);
  t.ok(idle.delete(settled));
  t.ok(idle.delete(recent));
  t.notOk(idle.delete(recent));
  t.equal(idle.pop(3), null);
});

t.test('retiring begins with the longest idle and stops at the first that may stay', async (t) => {
  const idle = new IdleConnections();
  const all = [connection(), connection(), connection()];
  for (const [index, one] of all.entries()) {
    one.notes.idleSinceMs = index;
    idle.push(one, index);
  }
  t.same(
    idle.takeWhile(9, ({ notes }) => notes.idleSinceMs < 2).map(({ notes }) => notes.idleSinceMs),
    [0, 1],
  );
  t.equal(idle.pop(9), all[2]);
});

t.test('a drain takes those of this turn too', async (t) => {
  const idle = new IdleConnections();
  idle.push(connection(), 1);
  idle.push(connection(), 2);
  t.equal(idle.takeEach(() => true).length, 2);
  t.equal(idle.pop(2), null);
});
