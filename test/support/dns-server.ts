// A DNS server on loopback that answers A and AAAA questions from a table (RFC 1035 §4), and counts what it is asked.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { IpAddress } from '../../config/address.ts';

export interface DnsRecord {
  readonly ip: string;
  readonly ttlSeconds: number;
}

/** A name that is not in the table does not exist; `broken` names get SERVFAIL. */
export interface DnsTable {
  readonly [name: string]: readonly DnsRecord[] | 'broken';
}

const responseCode = { ok: 0, serverFailure: 2, noSuchName: 3 } as const;
const recordType = { a: 1, aaaa: 28 } as const;

export class DnsServer {
  table: DnsTable = {};
  /** `name type` of every question, in order. */
  readonly questions: string[] = [];
  readonly #socket: Socket = createSocket('udp4');

  /** At any port of loopback when nothing is said. */
  async listen({ ip = '127.0.0.1', port = 0 } = {}): Promise<IpAddress> {
    this.#socket.on('message', (message, peer) => this.#socket.send(this.#answer(message), peer.port, peer.address));
    this.#socket.bind(port, ip);
    await once(this.#socket, 'listening');
    return { kind: 'ip', ip, port: this.#socket.address().port };
  }

  close(): void {
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (; query[at]! > 0; at += query[at]! + 1) labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
    const type = query.readUInt16BE(at + 1);
    const question = query.subarray(12, at + 5);
    const name = labels.join('.').toLowerCase();
    this.questions.push(`${name} ${type === recordType.a ? 'A' : 'AAAA'}`);
    const entry = this.table[name];
    if (entry === 'broken') return response(query, question, responseCode.serverFailure, []);
    if (entry === undefined) return response(query, question, responseCode.noSuchName, []);
    const wanted = entry.filter(({ ip }) => (type === recordType.a) !== ip.includes(':'));
    return response(
      query,
      question,
      responseCode.ok,
      wanted.map((record) => encodeRecord(record, type)),
    );
  }
}

function response(query: Buffer, question: Buffer, code: number, answers: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(query.readUInt16BE(0), 0);
  // A response, recursion desired and available.
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(answers.length, 6);
  return Buffer.concat([head, question, ...answers]);
}

function encodeRecord({ ip, ttlSeconds }: DnsRecord, type: number): Buffer {
  const data = Buffer.from(ip.includes(':') ? expandIpv6(ip) : ip.split('.').map(Number));
  const head = Buffer.alloc(12);
  // A pointer to the name of the question.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function expandIpv6(ip: string): number[] {
  const [left = [], right = []] = ip.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
}
