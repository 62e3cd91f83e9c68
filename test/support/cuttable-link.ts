// A TCP connection between two programs that a test can cut, and mend, while both of them live on.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';

export class CuttableLink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  static async to(t: Test, port: number): Promise<CuttableLink> {
    const server = createServer();
    const link = new CuttableLink(server, port);
    server.on('connection', (socket) => link.#forward(socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => {
      link.cut();
      server.close();
    });
    return link;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections end, and new ones too, as soon as they are made. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay open, and nothing passes any more: not even their end. */
  fallSilent(): void {
    for (const socket of this.#sockets) socket.unpipe();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** New connections go to another program. */
  lead(port: number): void {
    this.#port = port;
  }

  #forward(socket: Socket): void {
    if (this.#isCut) {
      socket.destroy();
      return;
    }
    const other = connect(this.#port, '127.0.0.1');
    for (const [one, two] of [
      [socket, other],
      [other, socket],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(two);
      // A reset on one side is a reset on the other.
      one.on('error', () => two.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        two.destroy();
      });
    }
  }
}
