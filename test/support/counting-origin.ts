// An HTTP origin for loads of many requests: it remembers every request that it was asked to answer, answers some slowly,
// and echoes what comes after an upgrade.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface CountingOrigin {
  readonly port: number;
  /** How often each path was asked for, with its whole body. */
  readonly requests: ReadonlyMap<string, number>;
}

/** Answers to paths that begin so come in two pieces, this far apart. */
const slowMs = 400;

export async function startCountingOrigin(t: Test): Promise<CountingOrigin> {
  const requests = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A proxy that has ended took its connections with it.
    socket.on('error', () => undefined);
    serve(socket, (path) => requests.set(path, (requests.get(path) ?? 0) + 1));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as { port: number }).port, requests };
}

function serve(socket: Socket, onRequest: (path: string) => void): void {
  let text = '';
  let isTunnel = false;
  socket.on('data', (data) => {
    if (isTunnel) {
      socket.write(data);
      return;
    }
    text += data.toString('latin1');
    for (let end = endOf(text); end >= 0; end = endOf(text)) {
      const request = text.slice(0, end);
      text = text.slice(end);
      isTunnel = /\r\nupgrade:/i.test(request);
      if (isTunnel) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
        if (text.length > 0) socket.write(text, 'latin1');
        return;
      }
      const path = request.split(' ', 2)[1]!;
      onRequest(path);
      answer(socket, path);
    }
  });
}

function answer(socket: Socket, path: string): void {
  const head = `HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n`;
  if (!path.startsWith('/slow')) {
    socket.write(head + path);
    return;
  }
  socket.write(`${head}/`);
  setTimeout(() => socket.write(path.slice(1)), slowMs);
}

/** Where the first request ends, -1 while it is not complete. */
function endOf(text: string): number {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return -1;
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
  const end = head + 4 + length;
  return text.length < end ? -1 : end;
}
