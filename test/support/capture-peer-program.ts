// The program behind capture-peer.ts.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';

export type PeerOrder =
  | {
      readonly order: number;
      readonly kind: 'converse';
      readonly ip: string;
      readonly port: number;
      readonly sent?: string;
    }
  | { readonly order: number; readonly kind: 'listen'; readonly server: ServerSpec };

export interface ServerSpec {
  readonly ip: string;
  readonly port: number;
  /** What it says; then what it received, or nothing more when it speaks first. */
  readonly name: string;
  readonly speaksFirst?: boolean;
}

export interface PeerReport {
  readonly order: number;
  readonly conversation?: Conversation;
}

export interface Conversation {
  readonly text: string;
  /** As the client's own socket has it, `ip port`. */
  readonly peer: string;
  /** Code of the error that ended it. */
  readonly error?: string;
}

async function converse(ip: string, port: number, sent: string | undefined): Promise<Conversation> {
  const socket = connect({ host: ip, port, allowHalfOpen: true });
  try {
    await once(socket, 'connect');
    const peer = `${socket.remoteAddress} ${socket.remotePort}`;
    if (sent !== undefined) socket.end(sent);
    return { text: await text(socket), peer };
  } catch (error) {
    return { text: '', peer: '', error: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    socket.destroy();
  }
}

async function listen({ ip, port, name, speaksFirst = false }: ServerSpec): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // A client that resets is no reason to end.
    socket.on('error', () => socket.destroy());
    if (speaksFirst) {
      socket.end(name);
      return;
    }
    let received = '';
    socket.setEncoding('utf8').on('data', (part) => {
      received += part;
    });
    socket.on('end', () => socket.end(`${name} ${received}`));
  });
  server.listen(port, ip);
  await once(server, 'listening');
}

process.on('message', async (order: PeerOrder) => {
  if (order.kind === 'listen') {
    await listen(order.server);
    process.send!({ order: order.order });
  } else {
    process.send!({ order: order.order, conversation: await converse(order.ip, order.port, order.sent) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send!({ order: 0 });
