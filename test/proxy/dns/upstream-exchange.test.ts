import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import t from 'tap';
import { tcpFrame } from '../../../proxy/dns/tcp-frames.ts';
import { type ExchangeOptions, exchange } from '../../../proxy/dns/upstream-exchange.ts';

const message = Buffer.from('question');
const ignoring = { message, isAnswer: () => false, onPort: () => undefined };

function ending(options: Omit<ExchangeOptions, 'onEnd'>): Promise<Buffer | undefined> {
  return new Promise((resolve) => exchange({ ...options, onEnd: resolve }));
}

t.test('over UDP the first message that is an answer ends it; the port is told before the query leaves', async (t) => {
  const server = createSocket('udp4');
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const ports: number[] = [];
  server.on('message', (_query, { port, address }) => {
    t.same(ports, [port]);
    server.send('noise', port, address);
    server.send('answer', port, address);
  });
  const upstream = { kind: 'ip', ip: '127.0.0.1', port: server.address().port } as const;
  const isAnswer = (one: Buffer) => String(one) === 'answer';
  const onPort = (port: number) => ports.push(port);
  t.equal(String(await ending({ transport: 'udp', upstream, message, isAnswer, onPort })), 'answer');
});

t.test('over TCP an end without an answer is none', async (t) => {
  const server = createServer((socket) => socket.end(tcpFrame(Buffer.from('noise'))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const upstream = { kind: 'ip', ip: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  t.equal(await ending({ ...ignoring, transport: 'tcp', upstream }), undefined);
});

t.test('a server that no socket can be connected to is none', async (t) => {
  // The kernel refuses to connect to it who has not said that it will broadcast; a missing route is refused at the same place.
  const upstream = { kind: 'ip', ip: '255.255.255.255', port: 53 } as const;
  t.equal(await ending({ ...ignoring, transport: 'udp', upstream }), undefined);
  t.equal(await ending({ ...ignoring, transport: 'tcp', upstream }), undefined);
});

t.test('what was given up tells nothing any more, and leaves no socket', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const upstream = { kind: 'ip', ip: '127.0.0.1', port } as const;
  const accepted = once(server, 'connection');
  const onEnd = () => t.fail('nobody waits for it');
  const giveUp = exchange({ ...ignoring, transport: 'tcp', upstream, onEnd });
  const [connection] = await accepted;
  giveUp();
  connection.on('error', () => undefined).resume();
  await once(connection, 'close');
  const giveUpUdp = exchange({ ...ignoring, transport: 'udp', upstream, onEnd });
  giveUpUdp();
  giveUpUdp();
  server.close();
  await once(server, 'close');
});
