// What a NACK says: one line for each problem of each refused resource, so that whoever wrote the configuration finds
// all of it in the log of the control plane.

import type { RefusedResource } from './discovery.ts';

/** Control planes keep it in memory for each client and put it in logs and headers: a screen of it is enough. */
const maxBytes = 4096;
/** For the line that counts what was left out. */
const reservedBytes = 32;

/** At most 4 KiB of UTF-8. `refused` is not empty. */
export function refusalText(refused: readonly RefusedResource[]): string {
  const lines = refused.flatMap(linesOf);
  const said: string[] = [];
  let bytes = 0;
  for (const line of lines) {
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > maxBytes - reservedBytes) break;
    said.push(line);
  }
  if (said.length === 0) said.push(cut(lines[0]!, maxBytes - reservedBytes));
  const rest = lines.length - said.length;
  return rest <= 0 ? said.join('\n') : `${said.join('\n')}\nand ${rest} more`;
}

function linesOf({ name, problems }: RefusedResource): readonly string[] {
  if (problems.length === 0) return [`${name}: is refused`];
  return problems.map(({ path, message }) => `${name}: ${path === '' ? '' : `${path}: `}${message}`);
}

/** The start of a text, not split within a character. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) < bytes) return text;
  const ellipsis = '…';
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes - Buffer.byteLength(ellipsis)));
  return text.slice(0, read) + ellipsis;
}
