// What is on the wire of this network namespace: TCP over IPv4 as the kernel hands it to a packet socket (packet(7)). It waits
// in the socket's buffer until it is asked for.

import type { Test } from 'tap';
import { Errno } from '../../native/errno.ts';
import { declare, outcome } from '../../native/libc.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, receive } from '../../native/socket.ts';

/** Bytes of one direction of one connection, in the order of their sender. */
export interface WireStream {
  /** `ip:port`. */
  readonly from: string;
  readonly to: string;
  readonly bytes: Buffer;
}

export class WireCapture {
  readonly #descriptor: number;
  readonly #buffer = new NativeBuffer(256 * 1024);

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Closed with the test. Throws without the right to it. */
  static open(t: Test): WireCapture {
    const descriptor = outcome(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, ETH_P_ALL_ON_THE_WIRE));
    if (descriptor < 0) throw new Error(`a packet socket: errno ${-descriptor}`);
    const size = new NativeBuffer(4);
    size.bytes.writeInt32LE(BUFFER_BYTES);
    outcome(setSocketOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, size.address, size.length));
    t.teardown(() => close(descriptor));
    return new WireCapture(descriptor);
  }

  /** Everything since it was opened, or was asked the last time. Throws when a byte of a connection is missing. */
  take(): readonly WireStream[] {
    const streams = new Map<string, Map<number, Buffer>>();
    for (;;) {
      const count = receive(this.#descriptor, this.#buffer, 0, this.#buffer.length);
      if (count === -Errno.EAGAIN) return [...streams].map(([key, segments]) => streamOf(key, segments));
      if (count < 0) throw new Error(`the packet socket: errno ${-count}`);
      const segment = segmentOf(this.#buffer.bytes.subarray(0, count));
      if (segment === undefined || segment.payload.length === 0) continue;
      const segments = streams.get(segment.key) ?? new Map<number, Buffer>();
      streams.set(segment.key, segments);
      // Each frame passes several interfaces, and one that is sent again may have grown.
      const known = segments.get(segment.sequence)?.length ?? 0;
      if (segment.payload.length > known) segments.set(segment.sequence, Buffer.from(segment.payload));
    }
  }
}

interface Segment {
  readonly key: string;
  readonly sequence: number;
  readonly payload: Buffer;
}

function segmentOf(frame: Buffer): Segment | undefined {
  if (frame.length < ETHERNET_BYTES + 40 || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return undefined;
  const packet = frame.subarray(ETHERNET_BYTES);
  if (packet[9] !== PROTOCOL_TCP) return undefined;
  const segment = packet.subarray((packet[0]! & 0xf) * 4, packet.readUInt16BE(2));
  const end = (at: number, port: number) =>
    `${[...packet.subarray(at, at + 4)].join('.')}:${segment.readUInt16BE(port)}`;
  return {
    key: `${end(12, 0)} ${end(16, 2)}`,
    sequence: segment.readUInt32BE(4),
    payload: segment.subarray((segment[12]! >> 4) * 4),
  };
}

function streamOf(key: string, segments: ReadonlyMap<number, Buffer>): WireStream {
  const [from, to] = key.split(' ') as [string, string];
  const first = segments.keys().next().value!;
  // Sequence numbers wrap: what counts is how far they are from the first one seen.
  const distance = (sequence: number) => (sequence - first) | 0;
  const ordered = [...segments].sort(([left], [right]) => distance(left) - distance(right));
  const parts: Buffer[] = [];
  let at = distance(ordered[0]![0]);
  for (const [sequence, payload] of ordered) {
    const gap = distance(sequence) - at;
    if (gap > 0) throw new Error(`${gap} bytes from ${from} to ${to} were not captured`);
    parts.push(payload.subarray(-gap));
    at += Math.max(0, payload.length + gap);
  }
  return { from, to, bytes: Buffer.concat(parts) };
}

/** Whether the bytes are records of TLS from the first to the last; one that is cut at the end counts. RFC 8446 5.1. */
export function isTlsOnly(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 5) return true;
    const [type, major] = [bytes[at]!, bytes[at + 1]!];
    if (type < FIRST_RECORD_TYPE || type > LAST_RECORD_TYPE || major !== 3) return false;
    at += 5 + bytes.readUInt16BE(at + 3);
  }
  return bytes.length > 0;
}

const socket = declare('int', 'socket', ['int', 'int', 'int']) as (...values: number[]) => number;
const setSocketOption = declare('int', 'setsockopt', ['int', 'int', 'int', 'uint64_t', 'uint']) as (
  ...values: number[]
) => number;

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** ETH_P_ALL, 3, as it stands on the wire. */
const ETH_P_ALL_ON_THE_WIRE = 0x0300;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
/** What a test sends in one go is a hundredth of it. */
const BUFFER_BYTES = 16 * 1024 * 1024;

const ETHERNET_BYTES = 14;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_TCP = 6;
/** change_cipher_spec, alert, handshake, application_data. */
const FIRST_RECORD_TYPE = 20;
const LAST_RECORD_TYPE = 23;
