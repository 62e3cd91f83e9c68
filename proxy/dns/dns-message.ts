// Messages of DNS, as far as one who answers by a table and passes everything else on has to understand them: the header, the
// one question, and how much the asker takes (RFC 1035 §4, RFC 6891). What a query may not have is refused and not guessed:
// names that point into the message, answers, more than one question.

/** Values of the protocol. */
export const recordTypes = { a: 1, cname: 5, aaaa: 28, opt: 41 } as const;
export const replyCodes = { ok: 0, malformed: 1, failure: 2, notImplemented: 4 } as const;
export const internetClass = 1;

export interface DnsQuery {
  readonly kind: 'query';
  readonly id: number;
  /** In lower case, without the dot at its end; the root is empty. Bytes of no letter are as they came. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The question as it was sent, behind the header. */
  readonly question: Buffer;
  /** What the asker takes over UDP, and UDP can bring: 512 bytes without EDNS. */
  readonly udpSizeBytes: number;
  readonly hasEdns: boolean;
}

export type ReadQuery =
  | DnsQuery
  /** To be answered by this code. */
  | { readonly kind: 'refused'; readonly code: number }
  /** No query at all, to which there is no answer: answering answers would go on for ever. */
  | { readonly kind: 'none' };

export const headerBytes = 12;
/** Behind its length of two bytes over TCP. */
export const maxMessageBytes = 65_535;

export function readQuery(message: Buffer): ReadQuery {
  if (message.length < headerBytes || message.length > maxMessageBytes || (message[2]! & isReplyBit) !== 0) {
    return { kind: 'none' };
  }
  if ((message[2]! & opcodeBits) !== 0) return { kind: 'refused', code: replyCodes.notImplemented };
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((offset) => message.readUInt16BE(offset));
  const nameEnd = endOfName(message, headerBytes);
  if (questions !== 1 || answers !== 0 || authorities !== 0 || additional! > maxAdditional || nameEnd === undefined) {
    return malformed;
  }
  const end = nameEnd + 4;
  if (end > message.length) return malformed;
  const edns = readAdditional(message, end, additional!);
  if (edns === undefined) return malformed;
  return {
    kind: 'query',
    id: message.readUInt16BE(0),
    name: nameText(message, headerBytes),
    type: message.readUInt16BE(nameEnd),
    class: message.readUInt16BE(nameEnd + 2),
    question: message.subarray(headerBytes, end),
    udpSizeBytes: Math.min(Math.max(minUdpBytes, edns.sizeBytes ?? 0), maxUdpBytes),
    hasEdns: edns.sizeBytes !== undefined,
  };
}

/** Whether `message` answers a query that had this id and this question: letters may come back in another case. */
export function answersQuery(message: Buffer, id: number, question: Buffer): boolean {
  const end = headerBytes + question.length;
  return (
    message.length >= end &&
    message.readUInt16BE(0) === id &&
    (message[2]! & isReplyBit) !== 0 &&
    message.readUInt16BE(4) === 1 &&
    isSameName(message.subarray(headerBytes, end), question)
  );
}

/** Begins the reply to `query`: the header and its question again. Counts of records are to be filled in. */
export function replyHead(query: Buffer, question: Buffer, code: number): Buffer {
  const head = Buffer.alloc(headerBytes + question.length);
  head.writeUInt16BE(query.readUInt16BE(0), 0);
  head[2] = isReplyBit | (query[2]! & (opcodeBits | recursionDesiredBit));
  head[3] = recursionAvailableBit | code;
  head.writeUInt16BE(question.length === 0 ? 0 : 1, 4);
  question.copy(head, headerBytes);
  return head;
}

/** Says that records were left out: the asker comes again over TCP. */
export function markTruncated(message: Buffer): void {
  message[2]! |= truncatedBit;
}

/** Says that the answer is ours to give. */
export function markAuthoritative(message: Buffer): void {
  message[2]! |= authoritativeBit;
}

const isReplyBit = 0x80;
const opcodeBits = 0x78;
const authoritativeBit = 0x04;
const truncatedBit = 0x02;
const recursionDesiredBit = 0x01;
const recursionAvailableBit = 0x80;
const minUdpBytes = 512;
/** A packet of IPv4 without both headers: the kernel sends no larger one, and nobody would be told. */
const maxUdpBytes = 65_507;
/** EDNS, and a signature of the asker. */
const maxAdditional = 2;
const maxNameBytes = 255;
const malformed = { kind: 'refused', code: replyCodes.malformed } as const;

/** Behind its last byte; undefined where it is none, or is compressed, which what comes first in a message cannot be. */
function endOfName(message: Buffer, start: number): number | undefined {
  let offset = start;
  while (offset < message.length) {
    const length = message[offset]!;
    if (length === 0) return offset + 1 - start > maxNameBytes ? undefined : offset + 1;
    if (length > 63) return undefined;
    offset += 1 + length;
  }
  return undefined;
}

function nameText(message: Buffer, start: number): string {
  const labels: string[] = [];
  for (let offset = start; message[offset] !== 0; offset += 1 + message[offset]!) {
    // A dot in a label is none between two.
    labels.push(message.latin1Slice(offset + 1, offset + 1 + message[offset]!).replaceAll('.', '\\.'));
  }
  return labels.join('.').toLowerCase();
}

/** The size that EDNS tells, if it is there; undefined where the records are none. */
function readAdditional(
  message: Buffer,
  start: number,
  count: number,
): { readonly sizeBytes: number | undefined } | undefined {
  let offset = start;
  let sizeBytes: number | undefined;
  for (let index = 0; index < count; index++) {
    const nameEnd = endOfName(message, offset);
    if (nameEnd === undefined || nameEnd + 10 > message.length) return undefined;
    if (message.readUInt16BE(nameEnd) === recordTypes.opt) {
      if (sizeBytes !== undefined || nameEnd !== offset + 1) return undefined;
      sizeBytes = message.readUInt16BE(nameEnd + 2);
    }
    offset = nameEnd + 10 + message.readUInt16BE(nameEnd + 8);
    if (offset > message.length) return undefined;
  }
  return offset === message.length ? { sizeBytes } : undefined;
}

/** Lengths of labels are below 64 and so never letters. */
function isSameName(left: Buffer, right: Buffer): boolean {
  for (let index = 0; index < right.length - 4; index++) {
    if (lowerCase(left[index]!) !== lowerCase(right[index]!)) return false;
  }
  return left.subarray(-4).equals(right.subarray(-4));
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
