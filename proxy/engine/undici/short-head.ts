// A response's head as undici is given it. Our parser has read the fields already, and undici would make a string of each one
// that nobody looks at: what it needs is where the body ends, and whether the connection goes on. So the end of the head is
// written over by a shorter one that says only this. undici's share of the worker's samples fell from 23.3 to 20.0 % (perf,
// 100 B, 5 fields of nginx's; 0.71 and 0.56 of the kernel's).

import { BodyFraming, type ResponseHead } from '../../http/message.ts';

/**
 * Writes the short form of `head`, which is in `bytes[start, end)`, in front of `end`. Returns where it begins: `start`, with
 * nothing written, for a head that has no shorter form or whose body is not framed by a field.
 */
export function shortenHead(bytes: Buffer, start: number, end: number, head: ResponseHead): number {
  const { framing, status } = head;
  if (framing !== BodyFraming.length && framing !== BodyFraming.chunked) return start;
  const tail = head.keepAlive ? goesOn : ends;
  const digits = framing === BodyFraming.length ? digitsOf(head.contentLength) : 0;
  const line = framing === BodyFraming.length ? lengthLine : chunkedLine;
  const begin = end - tail.length - digits - line.length;
  if (begin < start) return start;
  bytes.set(line, begin);
  writeDigits(bytes, begin + STATUS_END, status);
  writeDigits(bytes, begin + line.length + digits, head.contentLength, digits);
  bytes.set(tail, end - tail.length);
  return begin;
}

function digitsOf(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++;
  return count;
}

/** The last `count` digits of `value`, up to `end`. */
function writeDigits(bytes: Buffer, end: number, value: number, count = 3): void {
  let rest = value;
  for (let at = end - 1; at >= end - count; at--) {
    bytes[at] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

const STATUS_END = 'HTTP/1.1 000'.length;
const lengthLine = Buffer.from('HTTP/1.1 000 \r\nContent-Length: ', 'latin1');
const chunkedLine = Buffer.from('HTTP/1.1 000 \r\nTransfer-Encoding: chunked', 'latin1');
const goesOn = Buffer.from('\r\n\r\n', 'latin1');
const ends = Buffer.from('\r\nConnection: close\r\n\r\n', 'latin1');
