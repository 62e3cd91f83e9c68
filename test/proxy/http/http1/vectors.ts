// What goes in and what must come out, one row per requirement: the codec's tests run this table on bytes, and the
// end-to-end tests run it through sockets. Inputs and expectations are latin1 text, one character a byte.

import { characterVectors } from './vectors/characters.ts';
import { chunkedVectors } from './vectors/chunked-bodies.ts';
import { framingVectors } from './vectors/framing.ts';
import { responseVectors } from './vectors/responses.ts';
import { sizeVectors } from './vectors/sizes.ts';
import { targetVectors } from './vectors/targets.ts';
import { upgradeVectors } from './vectors/upgrades.ts';
import type { Vector } from './vectors/vector-list.ts';

const written: readonly Vector[] = [
  ...framingVectors,
  ...characterVectors,
  ...sizeVectors,
  ...targetVectors,
  ...chunkedVectors,
  ...upgradeVectors,
  ...responseVectors,
];

// Above Host is always the first line, and what decides about framing never is. So each of these rows again, with Host
// behind all other fields: whoever takes the first row of a table for none would miss the framing of such a request.
const framingRows = new Set([...Array.from({ length: 19 }, (_, index) => String(index + 1)), '64', '65', '66', '68']);
const headWithHostFirst = /^([^\r\n]+\r\n)(Host: [^\r\n]*\r\n)(.+?\r\n)(\r\n.*)$/s;

function withHostLast(text: string): string {
  return text.replace(headWithHostFirst, '$1$3$2$4');
}

const hostLast: Vector[] = [];
for (const vector of written) {
  const input = withHostLast(vector.input);
  if (vector.direction !== 'request' || !framingRows.has(vector.row) || input === vector.input) continue;
  const { expect } = vector;
  const isForwarded = expect.kind === 'accepted' && expect.forwarded !== undefined;
  hostLast.push({
    ...vector,
    name: `${vector.name}, Host last`,
    input,
    expect: isForwarded ? { ...expect, forwarded: withHostLast(expect.forwarded) } : expect,
  });
}

export const vectors: readonly Vector[] = [...written, ...hostLast];
