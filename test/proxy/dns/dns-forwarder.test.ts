import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import t, { type Test } from 'tap';
import type { IpAddress } from '../../../config/address.ts';
import { DnsForwarder, type ForwardedQuery } from '../../../proxy/dns/dns-forwarder.ts';
import { type DnsQuery, readQuery, replyHead } from '../../../proxy/dns/dns-message.ts';
import { tcpFrame } from '../../../proxy/dns/tcp-frames.ts';
import { dnsStats } from '../../../proxy/telemetry/dns-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { queryBytes } from '../../support/dns-queries.ts';

interface UpstreamQuery {
  readonly message: Buffer;
  readonly port: number;
  readonly reply: (message: Buffer) => void;
}

/** A server that a test plays by hand. */
async function startUpstream(
  t: Test,
): Promise<{ address: IpAddress; socket: UdpSocket; next(): Promise<UpstreamQuery> }> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  const next = async (): Promise<UpstreamQuery> => {
    const [message, { port, address }] = await once(socket, 'message');
    return { message, port, reply: (reply) => socket.send(reply, port, address) };
  };
  return { address: { kind: 'ip', ip: '127.0.0.1', port: socket.address().port }, socket, next };
}

function forwarderTo(...upstreams: readonly IpAddress[]) {
  const timers = new Set<() => void>();
  const stats = new WorkerStats(() => undefined).block(dnsStats);
  let id = 1000;
  const forwarder = new DnsForwarder({
    upstreams,
    random: () => 0,
    newId: () => id++,
    nowMs: () => 0,
    schedule: (_delayMs, callback) => {
      timers.add(callback);
      return () => timers.delete(callback);
    },
    stats,
  });
  const passTime = (): void => {
    for (const callback of [...timers]) {
      timers.delete(callback);
      callback();
    }
  };
  return { forwarder, passTime, timers };
}

function forwarded(name: string, transport: 'udp' | 'tcp' = 'udp'): ForwardedQuery {
  const message = queryBytes(name, { id: 7 });
  return { transport, message, id: 7, question: (readQuery(message) as DnsQuery).question };
}

function answerTo(query: Buffer, code = 0): Buffer {
  return replyHead(query, (readQuery(query) as DnsQuery).question, code);
}

t.test('a query goes on under an id of our own, and its answer back under that of the asker', async (t) => {
  const upstream = await startUpstream(t);
  const { forwarder, timers } = forwarderTo(upstream.address);
  const answered = new Promise<Buffer | undefined>((resolve) => forwarder.ask(forwarded('a.example'), resolve));
  const { message, reply } = await upstream.next();
  t.equal(message.readUInt16BE(0), 1000);
  t.same(message.subarray(2), forwarded('a.example').message.subarray(2));
  reply(answerTo(message, 3));
  const answer = await answered;
  t.equal(answer?.readUInt16BE(0), 7);
  t.equal(answer![3]! & 15, 3, 'that there is no such name is an answer');
  t.equal(timers.size, 0);
});

t.test('what does not answer the query is passed over', async (t) => {
  const upstream = await startUpstream(t);
  const { forwarder } = forwarderTo(upstream.address);
  const answered = new Promise<Buffer | undefined>((resolve) => forwarder.ask(forwarded('a.example'), resolve));
  const { message, reply } = await upstream.next();
  const wrongId = answerTo(message);
  wrongId.writeUInt16BE(1, 0);
  reply(wrongId);
  reply(answerTo(queryBytes('b.example', { id: 1000 })));
  reply(Buffer.of(1));
  reply(answerTo(message, 5));
  t.equal((await answered)![3]! & 15, 5);
});

t.test('a server that refuses or is silent gives way to the next; without another nobody answered', async (t) => {
  const silent = await startUpstream(t);
  const closed = createSocket('udp4');
  closed.bind(0, '127.0.0.1');
  await once(closed, 'listening');
  const nobody: IpAddress = { kind: 'ip', ip: '127.0.0.1', port: closed.address().port };
  closed.close();
  await once(closed, 'close');
  const last = await startUpstream(t);
  const { forwarder, passTime, timers } = forwarderTo(nobody, silent.address, last.address);
  const answered = new Promise<Buffer | undefined>((resolve) => forwarder.ask(forwarded('a'), resolve));
  await silent.next();
  passTime();
  await last.next();
  passTime();
  t.equal(await answered, undefined);
  t.equal(timers.size, 0);
  const none = forwarderTo().forwarder;
  t.equal(await new Promise((resolve) => none.ask(forwarded('a'), resolve)), undefined, 'no servers');
});

t.test('a query of our own that comes back is sent from another port, and not for ever', async (t) => {
  const upstream = await startUpstream(t);
  const { forwarder } = forwarderTo(upstream.address);
  const answered = new Promise<Buffer | undefined>((resolve) => forwarder.ask(forwarded('a'), resolve));
  const ports = new Set<number>();
  for (let times = 0; times < 4; times++) {
    const { message, port } = await upstream.next();
    ports.add(port);
    t.notOk(forwarder.takeReturned('udp', port, 1), 'another id is of an application');
    t.notOk(forwarder.takeReturned('tcp', port, message.readUInt16BE(0)));
    t.ok(forwarder.takeReturned('udp', port, message.readUInt16BE(0)));
    t.notOk(forwarder.takeReturned('udp', port, message.readUInt16BE(0)), 'it is over');
  }
  t.equal(await answered, undefined);
  t.ok(ports.size > 1);
});

t.test('more than 512 at a time are answered with nothing at once', async (t) => {
  const upstream = await startUpstream(t);
  const { forwarder, passTime } = forwarderTo(upstream.address);
  const outcomes: (Buffer | undefined)[] = [];
  for (let count = 0; count < 512; count++) forwarder.ask(forwarded('a'), (answer) => outcomes.push(answer));
  t.equal(outcomes.length, 0);
  forwarder.ask(forwarded('a'), (answer) => outcomes.push(answer));
  t.same(outcomes, [undefined]);
  passTime();
  t.equal(outcomes.length, 513);
});

t.test('what came over TCP goes on over TCP, and what is too large for UDP comes back', async (t) => {
  const server = createServer((socket) => {
    socket.once('data', (chunk: Buffer) => {
      const answer = Buffer.concat([answerTo(chunk.subarray(2)), Buffer.alloc(5000)]);
      const frame = tcpFrame(answer);
      socket.write(frame.subarray(0, 100));
      socket.write(frame.subarray(100));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { forwarder } = forwarderTo({ kind: 'ip', ip: '127.0.0.1', port });
  const answer = await new Promise<Buffer | undefined>((resolve) => forwarder.ask(forwarded('a', 'tcp'), resolve));
  t.equal(answer?.readUInt16BE(0), 7);
  t.ok(answer!.length > 5000);
  server.close();
  await once(server, 'close');
  t.equal(await new Promise((resolve) => forwarder.ask(forwarded('a', 'tcp'), resolve)), undefined, 'refused');
});
