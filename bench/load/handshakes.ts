// Full handshakes with a client certificate, one after the other, by `openssl s_time` on the load core.
// https://docs.openssl.org/3.0/man1/openssl-s_time/
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LOAD_CORE } from '../peers/pinned-process.ts';
import type { TlsFiles } from '../peers/tls-files.ts';

export type HandshakeOptions = { readonly port: number; readonly files: TlsFiles; readonly seconds: number };

// `requests` are connections. Rejects when one failed.
export async function runHandshakes({ port, files, seconds }: HandshakeOptions) {
  const identity = ['-cert', files.client.certificate, '-key', files.client.key];
  const target = ['-connect', `127.0.0.1:${port}`, '-new', '-time', String(seconds)];
  const command = ['openssl', 's_time', ...target, ...identity, '-CAfile', files.roots];
  const { stdout } = await promisify(execFile)('taskset', ['-c', String(LOAD_CORE), ...command]);
  return { requests: parseHandshakes(stdout), bytes: 0, seconds };
}

// Throws an Error for text without a count.
export function parseHandshakes(text: string): number {
  const count = Number(/^(\d+) connections in \d+ real seconds/m.exec(text)?.[1]);
  if (!(count > 0)) throw new Error(`s_time made no connection:\n${text}`);
  return count;
}
