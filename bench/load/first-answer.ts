// When does a proxy that was just started answer its first proxied 200? Connects in a tight loop: a pause between
// attempts would become the resolution of the start-up figure.
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { PinnedProcess } from '../peers/pinned-process.ts';
import type { TlsFiles } from '../peers/tls-files.ts';

export type FirstAnswerOptions = {
  readonly port: number;
  readonly authority: string;
  // `/` unless told.
  readonly path?: string;
  readonly deadlineMs: number;
  // Rest between attempts, for who shares the core with something that is to be quick. 0 unless told.
  readonly pauseMs?: number;
  // Asked over TLS, with the client's certificate.
  readonly files?: TlsFiles;
  readonly process: Pick<PinnedProcess, 'alive' | 'lastOutput'>;
};

// Resolves with process.hrtime.bigint() at the first 200. Rejects when the process dies or the deadline passes.
export async function awaitFirstAnswer(options: FirstAnswerOptions): Promise<bigint> {
  const deadline = performance.now() + options.deadlineMs;
  for (let left = options.deadlineMs; left > 0; left = deadline - performance.now()) {
    if (await answers(options, left)) return process.hrtime.bigint();
    if (options.pauseMs !== undefined) await setTimeout(options.pauseMs);
    if (!options.process.alive()) throw new Error(`it ended before it answered:\n${options.process.lastOutput()}`);
  }
  throw new Error(`no 200 within ${options.deadlineMs} ms:\n${options.process.lastOutput()}`);
}

// Refused, reset and any status but 200 all mean "not yet"; the caller's deadline bounds them.
function answers({ port, authority, path = '/', files }: FirstAnswerOptions, patienceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = open(port, files);
    socket.setNoDelay(true);
    let received = '';
    socket.setTimeout(Math.ceil(patienceMs), () => socket.destroy());
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`));
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
      if (received.length < 12) return;
      resolve(received.startsWith('HTTP/1.1 200'));
      socket.destroy();
    });
  });
}

function open(port: number, files: TlsFiles | undefined): Socket {
  if (files === undefined) return connect(port, '127.0.0.1');
  const [cert, key] = [readFileSync(files.client.certificate), readFileSync(files.client.key)];
  const ca = readFileSync(files.roots);
  return connectTls({ port, host: '127.0.0.1', cert, key, ca, servername: 'server.bench' });
}
