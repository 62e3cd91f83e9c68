// One query to one server of DNS, over a socket of its own: the port is the kernel's choice and new each time, which somebody
// who would answer in the server's place has to guess with the id (RFC 5452). What does not answer the query is passed over.

import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { IpAddress } from '../../config/address.ts';
import { TcpFrames, tcpFrame } from './tcp-frames.ts';

export type DnsTransport = 'udp' | 'tcp';

export interface ExchangeOptions {
  readonly transport: DnsTransport;
  readonly upstream: IpAddress;
  readonly message: Buffer;
  readonly isAnswer: (message: Buffer) => boolean;
  /** The query is about to leave, from this port. */
  readonly onPort: (port: number) => void;
  /** Once, unless it was given up before; undefined where the server cannot be asked. */
  readonly onEnd: (answer: Buffer | undefined) => void;
}

/** Returns what gives it up: nothing is told then. */
export function exchange(options: ExchangeOptions): () => void {
  return options.transport === 'udp' ? exchangeUdp(options) : exchangeTcp(options);
}

function exchangeUdp({ upstream: { ip, port }, message, isAnswer, onPort, onEnd }: ExchangeOptions): () => void {
  const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4');
  let isOver = false;
  const close = (): void => {
    if (isOver) return;
    isOver = true;
    socket.close();
  };
  const end = (answer: Buffer | undefined): void => {
    if (isOver) return;
    close();
    onEnd(answer);
  };
  socket.on('error', () => end(undefined));
  socket.on('message', (answer) => isAnswer(answer) && end(answer));
  // A function given to `connect` would be told of the failure in place of 'error': where no route leads to the server.
  socket.on('connect', () => {
    if (isOver) return;
    onPort(socket.address().port);
    socket.send(message, (error) => error !== null && end(undefined));
  });
  // Of a connected socket the kernel passes on what the server sent, and nobody else.
  socket.connect(port, ip);
  return close;
}

function exchangeTcp({ upstream: { ip, port }, message, isAnswer, onPort, onEnd }: ExchangeOptions): () => void {
  const socket = connect({ host: ip, port });
  const frames = new TcpFrames();
  let isOver = false;
  const close = (): void => {
    isOver = true;
    socket.destroy();
  };
  const end = (answer: Buffer | undefined): void => {
    if (isOver) return;
    close();
    onEnd(answer);
  };
  socket.on('error', () => end(undefined));
  socket.on('close', () => end(undefined));
  socket.on('connect', () => {
    onPort(socket.localPort!);
    socket.write(tcpFrame(message));
  });
  socket.on('data', (chunk: Buffer) => {
    frames.push(chunk);
    for (let answer = frames.next(); answer !== undefined && !isOver; answer = frames.next()) {
      if (isAnswer(answer)) end(answer);
    }
  });
  return close;
}
