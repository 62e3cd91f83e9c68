import t from 'tap';
import type { IpAddress } from '../../../config/address.ts';
import { Errno } from '../../../native/errno.ts';
import { close, connect as connectSocket, createSocket, setLinger } from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import type { TlsSession } from '../../../native/tls-session.ts';
import { HandshakeBudget } from '../../../proxy/reactor/handshake-budget.ts';
import { connect, startReactor } from '../../support/reactor-fixtures.ts';
import { sessionFor } from '../../support/tls-fixtures.ts';
import { certified, listenTls, tlsContext, transportOn } from '../../support/tls-streams.ts';

const STORM = 100;
const mesh = certified(t);

t.test('a turn has so many steps, and the next one as many again', (t) => {
  const budget = new HandshakeBudget(2);
  t.same([budget.take(7), budget.take(7), budget.take(7), budget.take(7)], [true, true, false, false]);
  t.same([budget.take(8), budget.take(8), budget.take(8)], [true, true, false]);
  t.end();
});

t.test('an open connection is answered in a few turns while handshakes come in a storm', async (t) => {
  const reactor = startReactor(t);
  let steps = 0;
  const judged: number[] = [];
  const judge = { judge: () => void judged.push(reactor.turn) };
  const acceptor = listenTls(t, reactor, tlsContext(t, { ...mesh, side: 'server' }), { judge });
  const context = tlsContext(t, { ...mesh, side: 'client' });
  const client = connect(reactor, acceptor.address, { tls: (fd) => transportOn(context, fd) });
  const open = await acceptor.next();
  await Promise.all([client.saw('connected'), open.saw('connected')]);
  judged.length = 0;
  const storm = Array.from({ length: STORM }, () => hello(acceptor.address as IpAddress));
  const begun = reactor.turn;
  const asked: number[] = [];
  const waited: number[] = [];
  open.onEvent = (event) => {
    if (event.startsWith('data')) open.write('pong');
  };
  client.onEvent = (event) => {
    if (!event.startsWith('data')) return;
    waited.push(reactor.turn - asked.at(-1)!);
    ask();
  };
  const ask = () => {
    asked.push(reactor.turn);
    client.write('ping');
  };
  ask();
  // Each ends as soon as its certificates are there: what costs the most is done then.
  for (let left = STORM; left > 0; left--) await (await acceptor.next()).saw('connected');
  t.equal(judged.length, STORM);
  const took = judged.at(-1)! - begun;
  t.ok(took >= STORM / 4, `${took} turns for ${STORM} handshakes`);
  t.ok(waited.length > 5 && Math.max(...waited) <= 3, `answers came after ${[...new Set(waited)].join(', ')} turns`);
  for (const turn of new Set(judged)) steps = Math.max(steps, judged.filter((one) => one === turn).length);
  t.ok(steps <= 4, `${steps} handshakes were done in one turn`);
  client.onEvent = undefined;
  for (const one of storm) one.end();

  /** A client that has said hello, and goes on whenever Node's loop is visited. */
  function hello(address: IpAddress): { end(): void } {
    const fd = createSocket(AddressFamily.ipv4);
    connectSocket(fd, address);
    const session: TlsSession = sessionFor(t, context, fd, 'example.test');
    let isOver = false;
    const step = () => {
      if (isOver || session.handshake() !== -Errno.EAGAIN) return;
      setImmediate(step);
    };
    step();
    return {
      end: () => {
        isOver = true;
        session.free();
        setLinger(fd, 0);
        close(fd);
      },
    };
  }
});
