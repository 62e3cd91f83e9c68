// The sockets at which applications ask: UDP and TCP at one address. Whoever is in the pod may ask, so everything that one of
// them can make us keep is bounded.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { DnsResponder } from './dns-responder.ts';
import { TcpFrames, tcpFrame } from './tcp-frames.ts';

export class DnsServer {
  readonly #responder: Pick<DnsResponder, 'answer'>;
  readonly #udp: UdpSocket[] = [];
  readonly #tcp: Server[] = [];
  /** The oldest first. */
  readonly #connections = new Set<Socket>();
  #isClosed = false;

  constructor(responder: Pick<DnsResponder, 'answer'>) {
    this.#responder = responder;
  }

  /** Rejects when the address cannot be had. Port 0 takes one that is free for TCP; returns the port. */
  async listen(ip: string, port: number): Promise<number> {
    const taken = await this.#openTcp(ip, port);
    await this.#openUdp(ip, taken);
    return taken;
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#udp) socket.close();
    for (const server of this.#tcp) server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  async #openUdp(ip: string, port: number): Promise<void> {
    const socket = createSocket({ type: isIPv6(ip) ? 'udp6' : 'udp4', ipv6Only: isIPv6(ip) });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('error', reject);
    socket.bind(port, ip, resolve);
    await promise;
    socket.off('error', reject);
    // Of an asker that has gone; the others are served on.
    socket.on('error', () => undefined);
    socket.on('message', (message, { address, port: askerPort }) => {
      // Nobody can be answered there (RFC 768), and a raw socket sends from it all the same.
      if (askerPort === 0) return;
      this.#responder.answer({ message, transport: 'udp', port: askerPort }, (reply) => {
        if (reply !== undefined && !this.#isClosed) socket.send(reply, askerPort, address);
      });
    });
    this.#udp.push(socket);
  }

  async #openTcp(ip: string, port: number): Promise<number> {
    const server = createServer((socket) => this.#serve(socket));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host: ip, port, ipv6Only: isIPv6(ip) }, resolve);
    await promise;
    this.#tcp.push(server);
    return (server.address() as AddressInfo).port;
  }

  #serve(socket: Socket): void {
    const connections = this.#connections;
    connections.add(socket);
    if (connections.size > maxConnections) connections.values().next().value!.destroy();
    socket.once('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    const frames = new TcpFrames();
    let waiting = 0;
    const answerNext = (): void => {
      socket.resume();
      while (waiting < maxWaiting && !socket.destroyed) {
        const message = frames.next();
        if (message === undefined) return;
        waiting++;
        this.#responder.answer({ message, transport: 'tcp', port: socket.remotePort ?? 0 }, onReply);
      }
      socket.pause();
    };
    const onReply = (reply: Buffer | undefined): void => {
      waiting--;
      if (reply === undefined || socket.writableLength > maxUnreadBytes) socket.destroy();
      else if (!socket.destroyed) socket.write(tcpFrame(reply));
      if (socket.isPaused()) answerNext();
    };
    socket.on('data', (chunk: Buffer) => {
      frames.push(chunk);
      answerNext();
    });
  }
}

const maxConnections = 128;
/** Queries of one connection that are not answered yet; more are not read. */
const maxWaiting = 32;
/** Of replies that the asker does not take. */
const maxUnreadBytes = 256 * 1024;
/** Longer than the servers of a query have together. */
const SILENCE_MS = 20_000;
