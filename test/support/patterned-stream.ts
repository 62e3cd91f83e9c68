// Streams whose every byte is known to both ends, at a gigabyte a second: the key stream of a cipher, so that a byte that
// is lost, doubled or in another place is not where it was expected.

import { type Cipheriv, createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';

export interface PatternedBytes {
  readonly seed: number;
  readonly bytes: number;
}

export interface WriteSizes {
  readonly least: number;
  readonly most: number;
}

/** The next `length` bytes of a seed's stream, whatever portions it is taken in. */
export class Pattern {
  readonly #cipher: Cipheriv;

  constructor(seed: number) {
    this.#cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed & 0xff), Buffer.alloc(16, (seed >> 8) & 0xff));
  }

  next(length: number): Buffer {
    return this.#cipher.update(Buffer.alloc(length));
  }
}

/** Sizes of writes that are as random as a seed makes them. */
export function seededSizes(seed: number, { least, most }: WriteSizes): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return least + (state % (most - least + 1));
  };
}

/** Writes a stream in portions of `sizes`, waiting where the socket asks to. */
export async function sendPattern(socket: Socket, { seed, bytes }: PatternedBytes, sizes: WriteSizes): Promise<void> {
  const pattern = new Pattern(seed);
  const nextSize = seededSizes(seed, sizes);
  for (let sent = 0; sent < bytes; ) {
    const chunk = pattern.next(Math.min(nextSize(), bytes - sent));
    sent += chunk.length;
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
}

/** Reads exactly so many bytes, and whatever is sent with them; rejects at the first that is not the stream's. */
export async function receivePattern(socket: Socket, { seed, bytes }: PatternedBytes): Promise<void> {
  const pattern = new Pattern(seed);
  let received = 0;
  while (received < bytes) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) {
      if (socket.readableEnded) throw new Error(`the stream ended after ${received} of ${bytes} bytes`);
      await readableOrEnded(socket);
      continue;
    }
    if (!chunk.equals(pattern.next(chunk.length))) throw new Error(`not the expected bytes after ${received}`);
    received += chunk.length;
  }
  if (received > bytes) throw new Error(`${received} bytes came, ${bytes} were expected`);
}

/** Resolves at the end of the stream; rejects when bytes come before it. */
export async function receiveEnd(socket: Socket): Promise<void> {
  while (!socket.readableEnded) {
    const chunk: Buffer | null = socket.read();
    if (chunk !== null) throw new Error(`${chunk.length} bytes came after the last`);
    if (!socket.readableEnded) await readableOrEnded(socket);
  }
}

async function readableOrEnded(socket: Socket): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  try {
    await Promise.race([once(socket, 'readable', { signal }), once(socket, 'end', { signal })]);
  } finally {
    waiting.abort();
  }
}
