// Queries of DNS as bytes, and replies read back, both by the letter of RFC 1035 and by other code than ours.

import { headerBytes } from '../../proxy/dns/dns-message.ts';

export interface WrittenQuery {
  readonly id?: number;
  /** 1 is A, 28 is AAAA. */
  readonly type?: number;
  readonly class?: number;
  /** With EDNS that takes this much. */
  readonly udpSizeBytes?: number;
}

export function queryBytes(name: string, { id = 7, type = 1, class: asked = 1, udpSizeBytes }: WrittenQuery = {}) {
  const edns = udpSizeBytes === undefined ? [] : [0, 0, 41, udpSizeBytes >> 8, udpSizeBytes & 255, 0, 0, 0, 0, 0, 0];
  return Buffer.from([
    ...[id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns.length === 0 ? 0 : 1],
    ...nameBytes(name),
    ...[type >> 8, type & 255, asked >> 8, asked & 255],
    ...edns,
  ]);
}

export interface ReadReply {
  readonly id: number;
  readonly code: number;
  readonly isAuthoritative: boolean;
  readonly isTruncated: boolean;
  readonly hasEdns: boolean;
  /** `name type value`, in order. */
  readonly answers: readonly string[];
}

export function readReply(reply: Buffer): ReadReply {
  let offset = headerBytes;
  const nameAt = (start: number): { readonly name: string; readonly end: number } => {
    const labels: string[] = [];
    let at = start;
    let end = -1;
    while (reply[at] !== 0) {
      if (reply[at]! >= 0xc0) {
        end = end < 0 ? at + 2 : end;
        at = reply.readUInt16BE(at) & 0x3fff;
      } else {
        labels.push(reply.toString('latin1', at + 1, at + 1 + reply[at]!));
        at += 1 + reply[at]!;
      }
    }
    return { name: labels.join('.'), end: end < 0 ? at + 1 : end };
  };
  if (reply.readUInt16BE(4) === 1) offset = nameAt(offset).end + 4;
  const answers: string[] = [];
  for (let index = 0; index < reply.readUInt16BE(6); index++) {
    const { name, end } = nameAt(offset);
    const type = reply.readUInt16BE(end);
    const dataEnd = end + 10 + reply.readUInt16BE(end + 8);
    const data = reply.subarray(end + 10, dataEnd);
    if (type === 1) answers.push(`${name} A ${[...data].join('.')}`);
    else if (type === 28) answers.push(`${name} AAAA ${data.toString('hex')}`);
    else answers.push(`${name} ${type} ${nameAt(end + 10).name}`);
    offset = dataEnd;
  }
  const hasEdns = reply.readUInt16BE(10) === 1 && reply.readUInt16BE(offset + 1) === 41;
  const [, , flags, more] = reply;
  return {
    id: reply.readUInt16BE(0),
    code: more! & 15,
    isAuthoritative: (flags! & 4) !== 0,
    isTruncated: (flags! & 2) !== 0,
    hasEdns,
    answers,
  };
}

function nameBytes(name: string): readonly number[] {
  const labels = name === '' ? [] : name.split('.');
  return [...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0];
}
