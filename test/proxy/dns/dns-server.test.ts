import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import type { Asked } from '../../../proxy/dns/dns-responder.ts';
import { DnsServer } from '../../../proxy/dns/dns-server.ts';
import { TcpFrames, tcpFrame } from '../../../proxy/dns/tcp-frames.ts';

type Reply = (reply: Buffer | undefined) => void;

async function startServer(answer: (asked: Asked, onReply: Reply) => void) {
  const server = new DnsServer({ answer });
  const port = await server.listen('127.0.0.1', 0);
  return { server, port };
}

t.test('UDP and TCP are answered at one port', async (t) => {
  const { server, port } = await startServer(({ message, transport }, onReply) =>
    onReply(Buffer.from(`${transport} ${message}`)),
  );
  t.teardown(() => server.close());
  const asker = createSocket('udp4');
  t.teardown(() => asker.close());
  asker.send('hello', port, '127.0.0.1');
  t.equal(String((await once(asker, 'message'))[0]), 'udp hello');
  const connection = connect(port, '127.0.0.1');
  t.teardown(() => connection.destroy());
  connection.write(Buffer.concat([tcpFrame(Buffer.from('one')), tcpFrame(Buffer.from('two'))]));
  t.same(await framesOf(connection, 2), ['tcp one', 'tcp two']);
});

t.test('who asks over UDP from port 0 gets no answer, and ends nothing', async (t) => {
  const asked: string[] = [];
  const sockets: UdpSocket[] = [];
  const onSocket = (message: unknown) => sockets.push((message as { socket: UdpSocket }).socket);
  const opened = channel('udp.socket');
  opened.subscribe(onSocket);
  t.teardown(() => opened.unsubscribe(onSocket));
  const { server } = await startServer(({ message }, onReply) => {
    asked.push(String(message));
    onReply(message);
  });
  t.teardown(() => server.close());
  const asker = { address: '127.0.0.1', family: 'IPv4', port: 0, size: 5 };
  t.doesNotThrow(() => sockets[0]!.emit('message', Buffer.from('hello'), asker), 'only a raw socket can send it');
  t.same(asked, []);
});

t.test('replies may come in another order, and no more than 32 are waited for on one connection', async (t) => {
  const waiting: { readonly text: string; readonly onReply: Reply }[] = [];
  const arrived = Promise.withResolvers<void>();
  const { server, port } = await startServer(({ message }, onReply) => {
    waiting.push({ text: String(message), onReply });
    if (waiting.length === 32) arrived.resolve();
  });
  t.teardown(() => server.close());
  const connection = connect(port, '127.0.0.1');
  t.teardown(() => connection.destroy());
  connection.write(Buffer.concat(Array.from({ length: 40 }, (_, index) => tcpFrame(Buffer.from(`${index}`)))));
  await arrived.promise;
  t.equal(waiting.length, 32, 'the rest arrived with them, and is not read');
  const last = waiting.at(-1)!;
  last.onReply(Buffer.from(last.text));
  t.equal(waiting.length, 33, 'a reply makes room for the next');
  t.same(await framesOf(connection, 1), ['31']);
});

t.test('what has no answer ends the connection, and 128 are open at most', async (t) => {
  const { server, port } = await startServer((_asked, onReply) => onReply(undefined));
  t.teardown(() => server.close());
  const wrong = connect(port, '127.0.0.1');
  wrong.write(tcpFrame(Buffer.of(1)));
  await once(wrong, 'close');
  const first = connect(port, '127.0.0.1');
  await once(first, 'connect');
  const others = Array.from({ length: 128 }, () => connect(port, '127.0.0.1'));
  t.teardown(() => {
    for (const each of others) each.destroy();
  });
  await once(first, 'close');
  t.pass('the oldest goes');
});

t.test('a port that is taken is an error, and a reply after the end goes nowhere', async (t) => {
  let late: Reply = () => undefined;
  const asked = Promise.withResolvers<void>();
  const { server, port } = await startServer((_asked, onReply) => {
    late = onReply;
    asked.resolve();
  });
  await t.rejects(new DnsServer({ answer: () => undefined }).listen('127.0.0.1', port), { code: 'EADDRINUSE' });
  const asker = createSocket('udp4');
  asker.send('x', port, '127.0.0.1');
  await asked.promise;
  server.close();
  asker.close();
  t.doesNotThrow(() => late(Buffer.of(1)));
});

async function framesOf(connection: ReturnType<typeof connect>, count: number): Promise<readonly string[]> {
  const frames = new TcpFrames();
  const found: string[] = [];
  while (found.length < count) {
    const [chunk] = await once(connection, 'data');
    frames.push(chunk);
    for (let one = frames.next(); one !== undefined; one = frames.next()) found.push(String(one));
  }
  return found;
}
