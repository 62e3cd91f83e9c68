// A process of the BPF rig (bpf-rig.ts): a client, a server or a proxy, told what to do by lines of JSON. It knows nothing
// of redirection but for what it is asked about a connection: SO_ORIGINAL_DST, as the sidecar asks.

import { createSocket as createDatagramSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { formatAddress, type IpAddress } from '../../config/address.ts';
import { setBlocking } from '../../native/blocking-socket.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, connect, createSocket, originalDestination, setLinger, setMark } from '../../native/socket.ts';
import { AddressFamily } from '../../native/socket-address.ts';
import { sendMessage } from '../../native/unix-message.ts';

export interface PeerCommands {
  /** Accepts connections and answers each with what is known of it, in JSON; passes its descriptor to the rig. */
  listen(options: { name: string; ip: string; port: number; reusePort?: boolean }): { id: number };
  /** Answers datagrams with its name and theirs. */
  answerDatagrams(options: { name: string; ip: string; port: number }): { id: number };
  stop(options: { id: number }): null;
  /**
   * How many were accepted, and of how many the original destination was the one given; the count begins anew. From now on
   * connections are only counted, or answered too.
   */
  accepted(options: { expected: string; isCountingOnly: boolean }): { accepted: number; found: number };
  connect(options: { ip: string; port: number; mark?: number }): Outcome;
  ask(options: { ip: string; port: number; isConnected: boolean; text: string; socket?: 'ipv6' }): AskOutcome;
  /** Connects and resets, so often, without a look at the peer. */
  storm(options: { ip: string; port: number; count: number }): { failed: number };
}

/** What a server of a peer says of a connection. */
export interface Seen {
  readonly name: string;
  readonly local: string;
  readonly remote: string;
  readonly original: string | null;
}

export type Outcome = { readonly seen: Seen; readonly peer: string } | { readonly error: string };
export type AskOutcome = { readonly answer: string; readonly source: string } | { readonly error: string };

const RIG_SOCKET = 3;

const held = new Map<number, Server | DatagramSocket>();
const tally = new Map<string, number>();
let isCountingOnly = false;

type Handlers = {
  [name in keyof PeerCommands]: (options: Parameters<PeerCommands[name]>[0]) => Promise<ReturnType<PeerCommands[name]>>;
};

const handlers: Handlers = { listen, answerDatagrams, stop, accepted, connect: connectTo, ask, storm };

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const { id, name, options } = JSON.parse(line) as { id: number; name: keyof PeerCommands; options: never };
  const reply = await handlers[name](options).then(
    (result) => ({ id, result }),
    (error: Error) => ({ id, failure: error.stack }),
  );
  process.stdout.write(`${JSON.stringify(reply)}\n`);
});
// The rig is gone, however it ended.
lines.on('close', () => process.exit(0));
process.stdout.write('{"ready":true}\n');

async function listen({ name, ip, port, reusePort }: Parameters<PeerCommands['listen']>[0]) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    const original = originalDestination(descriptorOf(socket));
    const originalText = original === undefined ? null : formatAddress(original);
    tally.set(String(originalText), (tally.get(String(originalText)) ?? 0) + 1);
    if (isCountingOnly) return void socket.destroy();
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    const seen: Seen = {
      name,
      local: endpoint(localAddress, localPort),
      remote: endpoint(remoteAddress, remotePort),
      original: originalText,
    };
    socket.end(JSON.stringify(seen));
  });
  server.listen({ host: ip, port, ipv6Only: true, backlog: 4096, ...(reusePort && { reusePort }) });
  await once(server, 'listening');
  const fd = descriptorOf(server);
  held.set(fd, server);
  passToRig(fd);
  return { id: fd };
}

async function answerDatagrams({ name, ip, port }: Parameters<PeerCommands['answerDatagrams']>[0]) {
  const socket = createDatagramSocket(
    ip.includes(':') ? { type: 'udp6' as const, ipv6Only: true } : { type: 'udp4' as const },
  );
  socket.on('message', (message, from) => socket.send(`${name}: ${message}`, from.port, from.address));
  socket.bind(port, ip);
  await once(socket, 'listening');
  const id = descriptorOf(socket);
  held.set(id, socket);
  return { id };
}

async function stop({ id }: { id: number }) {
  const closed = once(held.get(id)!, 'close');
  held.get(id)!.close();
  await closed;
  return null;
}

async function accepted({ expected, isCountingOnly: only }: Parameters<PeerCommands['accepted']>[0]) {
  isCountingOnly = only;
  const counts = {
    accepted: [...tally.values()].reduce((sum, count) => sum + count, 0),
    found: tally.get(expected) ?? 0,
  };
  tally.clear();
  return counts;
}

async function connectTo({ ip, port, mark }: Parameters<PeerCommands['connect']>[0]): Promise<Outcome> {
  const socket = mark === undefined ? new Socket({ allowHalfOpen: true }) : markedSocket(ip, port, mark);
  if (mark === undefined) socket.connect({ host: ip, port });
  try {
    if (mark === undefined) await once(socket, 'connect');
    const peer = endpoint(socket.remoteAddress, socket.remotePort);
    const said = await text(socket);
    return { seen: JSON.parse(said), peer };
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    socket.destroy();
  }
}

/** node:net cannot mark a socket before it connects. */
function markedSocket(ip: string, port: number, mark: number): Socket {
  const fd = createSocket(ip.includes(':') ? AddressFamily.ipv6 : AddressFamily.ipv4);
  const marked = setMark(fd, mark);
  if (marked < 0) throw new Error(`setMark: ${marked}`);
  setBlocking(fd, 0);
  const connected = connect(fd, { kind: 'ip', ip, port });
  if (connected < 0) throw new Error(`connect: ${connected}`);
  return new Socket({ fd, allowHalfOpen: true });
}

async function ask({
  ip,
  port,
  isConnected,
  text,
  socket: kind,
}: Parameters<PeerCommands['ask']>[0]): Promise<AskOutcome> {
  const socket = createDatagramSocket(ip.includes(':') || kind === 'ipv6' ? 'udp6' : 'udp4');
  try {
    if (isConnected) {
      socket.connect(port, ip);
      await once(socket, 'connect');
      socket.send(text);
    } else socket.send(text, port, ip);
    const [answer, from] = await Promise.race([
      once(socket, 'message'),
      once(socket, 'error').then(([error]) => Promise.reject(error)),
    ]);
    return { answer: String(answer), source: endpoint(from.address, from.port) };
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    socket.close();
  }
}

async function storm({ ip, port, count }: Parameters<PeerCommands['storm']>[0]) {
  const family = ip.includes(':') ? AddressFamily.ipv6 : AddressFamily.ipv4;
  const to: IpAddress = { kind: 'ip', ip, port };
  let failed = 0;
  for (let index = 0; index < count; index++) {
    const fd = createSocket(family);
    // Closed before its handshake is done, nobody would ever accept it.
    setBlocking(fd, 0);
    if (connect(fd, to) < 0) failed++;
    setLinger(fd, 0);
    close(fd);
  }
  return { failed };
}

function descriptorOf(socket: object): number {
  // Datagram sockets keep their handle behind a symbol, and warn of who looks for it elsewhere.
  const state = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  if (state !== undefined) return (socket as Record<symbol, { handle: { fd: number } }>)[state]!.handle.fd;
  return (socket as { _handle: { fd: number } })._handle.fd;
}

function endpoint(ip: string | undefined, port: number | undefined): string {
  return ip === undefined ? 'unknown' : formatAddress({ kind: 'ip', ip, port: port! });
}

function passToRig(fd: number): void {
  const message = new NativeBuffer(1);
  const sent = sendMessage(RIG_SOCKET, message, 1, [fd]);
  if (sent < 0) throw new Error(`sendMessage: ${sent}`);
}
