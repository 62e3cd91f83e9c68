// A reply with the addresses of a name of the mesh. It has no more than the asker takes; that something is missing then is
// said, so that it comes again over TCP.

import { isIPv4 } from 'node:net';
import { parseIpv6 } from '../../config/ip-address.ts';
import type { Random } from '../../config/random.ts';
import {
  type DnsQuery,
  headerBytes,
  internetClass,
  markAuthoritative,
  markTruncated,
  recordTypes,
  replyCodes,
  replyHead,
} from './dns-message.ts';
import type { FoundName } from './name-lookup.ts';

export interface AddressReplyOptions {
  readonly limitBytes: number;
  readonly random: Random;
}

/** Whether a query is for addresses; anything else of a name is for a server of DNS to say. */
export function asksForAddresses({ type, class: asked }: DnsQuery): boolean {
  return asked === internetClass && (type === recordTypes.a || type === recordTypes.aaaa);
}

/** A name that has addresses of the other family alone has an empty answer: it exists. */
export function addressReply(
  message: Buffer,
  query: DnsQuery,
  { host, searchLength }: FoundName,
  { limitBytes, random }: AddressReplyOptions,
): Buffer {
  const head = replyHead(message, query.question, replyCodes.ok);
  markAuthoritative(head);
  const edns = query.hasEdns ? ednsRecord : noBytes;
  const ips = query.type === recordTypes.a ? host.ipv4 : host.ipv6;
  const isAlias = searchLength > 0 && ips.length > 0;
  const nameOffset = isAlias ? head.length + recordHeadBytes : headerBytes;
  const records = isAlias ? [aliasRecord(query.question, searchLength)] : [];
  let size = head.length + edns.length + (records[0]?.length ?? 0);
  for (const ip of fromAnywhere(ips, random)) {
    const record = addressRecord(nameOffset, query.type, addressBytes(ip));
    size += record.length;
    if (size > limitBytes) {
      markTruncated(head);
      break;
    }
    records.push(record);
  }
  head.writeUInt16BE(records.length, 6);
  head.writeUInt16BE(edns.length === 0 ? 0 : 1, 10);
  return Buffer.concat([head, ...records, edns]);
}

/** Whom the mesh sends somewhere else asks again soon. */
const ttlSeconds = 30;
const recordHeadBytes = 12;
/** Type and class. */
const questionTailBytes = 4;
const noBytes = Buffer.alloc(0);
/** The root's name, OPT, 1,232 bytes: what fits into every network. No options. */
const ednsRecord = Buffer.of(0, 0, recordTypes.opt, 0x04, 0xd0, 0, 0, 0, 0, 0, 0);

/** Askers take the first one: they are to take different ones. */
function fromAnywhere(ips: readonly string[], random: Random): readonly string[] {
  const first = Math.floor(random() * ips.length);
  return [...ips.slice(first), ...ips.slice(0, first)];
}

function addressRecord(nameOffset: number, type: number, address: Buffer): Buffer {
  return Buffer.concat([recordHead(nameOffset, type, address.length), address]);
}

/** The question's name is another name of what stands in front of the search domain. Each dot is a length on the wire. */
function aliasRecord(question: Buffer, searchLength: number): Buffer {
  const end = question.length - questionTailBytes - 1 - searchLength;
  const name = Buffer.concat([question.subarray(0, end), Buffer.of(0)]);
  return Buffer.concat([recordHead(headerBytes, recordTypes.cname, name.length), name]);
}

function addressBytes(ip: string): Buffer {
  return isIPv4(ip)
    ? Buffer.from(ip.split('.').map(Number))
    : Buffer.from(parseIpv6(ip).toString(16).padStart(32, '0'), 'hex');
}

function recordHead(nameOffset: number, type: number, length: number): Buffer {
  const head = Buffer.alloc(recordHeadBytes);
  // A pointer to a name that stands there (RFC 1035 §4.1.4).
  head.writeUInt16BE(0xc000 | nameOffset, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(internetClass, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(length, 10);
  return head;
}
