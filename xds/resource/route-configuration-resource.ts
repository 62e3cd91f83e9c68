// Route configurations (RDS).
//
// A table of 10,000 virtual hosts takes 220 to 340 ms of CPU to decode. A large one is decoded in slices, each of which is a
// message of the same type: some of its virtual hosts, and all that it says of itself. In which order a message has its
// fields means nothing. https://protobuf.dev/programming-guides/encoding/#order

import protobuf from 'protobufjs/minimal.js';
import { Problems } from '../../config/problems.ts';
import type { RouteConfiguration, VirtualHost } from '../../config/route.ts';
import { decodeRouteConfiguration } from '../decode/route.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

const made = makeResourceDecoder({
  messageName: 'envoy.config.route.v3.RouteConfiguration',
  shortName: 'rds',
  isDecodedAhead: true,
  decode: decodeRouteConfiguration,
});

/** Of virtual hosts: 60 of those that Istio makes of a service, 1.5 ms of CPU. */
const sliceBytes = 16 * 1024;
/** Below it is one slice anyway. What a table says of itself is decoded with each slice, and is to be less. */
const leastBytes = 32 * 1024;

/** By the bytes that they were decoded of. */
const prepared = new WeakMap<Uint8Array, RouteConfiguration>();

export const routeConfigurationDecoder: ResourceDecoder<RouteConfiguration> = {
  ...made,
  decode: (bytes, problems) => prepared.get(bytes) ?? made.decode(bytes, problems),
  prepare: (bytes) => (bytes.length < leastBytes ? undefined : decodeInSlices(bytes)),
};

/** Yields how many virtual hosts it took in a step. What is not as it should be is left to `decode`, which says what it is. */
function* decodeInSlices(bytes: Uint8Array): Generator<number, void> {
  const cut = cutTable(bytes);
  if (cut === undefined || cut.own.length > leastBytes) return;
  yield 0;
  const virtualHosts: VirtualHost[] = [];
  const domains = new Set<string>();
  let table: RouteConfiguration | undefined;
  for (const [index, start] of cut.starts.entries()) {
    const problems = new Problems();
    const slice = Buffer.concat([cut.own, bytes.subarray(start, cut.starts[index + 1] ?? cut.end)]);
    table = made.decode(slice, problems);
    if (table === undefined || !problems.isEmpty || !addDomains(table, domains)) return;
    for (const host of table.virtualHosts) virtualHosts.push(host);
    yield table.virtualHosts.length;
  }
  if (table !== undefined) prepared.set(bytes, { ...table, virtualHosts });
}

/** False where one is of an earlier slice, too. */
function addDomains({ virtualHosts }: RouteConfiguration, domains: Set<string>): boolean {
  for (const host of virtualHosts) {
    const size = domains.size + host.domains.length;
    for (const domain of host.domains) domains.add(domain);
    if (domains.size < size) return false;
  }
  return true;
}

interface CutTable {
  /** All fields but virtual hosts. */
  readonly own: Uint8Array;
  /** Where each slice of virtual hosts begins. */
  readonly starts: readonly number[];
  /** … and where the last of them ends. */
  readonly end: number;
}

const hostTag = (2 << 3) | 2;

/** Undefined for bytes that are no message, and where other fields stand between virtual hosts, which no encoder does. */
function cutTable(bytes: Uint8Array): CutTable | undefined {
  const own: Uint8Array[] = [];
  const starts: number[] = [];
  let end = 0;
  const reader = protobuf.Reader.create(bytes);
  try {
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const tag = reader.tag();
      reader.skipType(tag & 7, 0, tag >>> 3);
      if (tag !== hostTag) {
        own.push(bytes.subarray(start, reader.pos));
        continue;
      }
      if (starts.length > 0 && start !== end) return undefined;
      if (starts.length === 0 || start - starts.at(-1)! >= sliceBytes) starts.push(start);
      end = reader.pos;
    }
  } catch {
    // The reader throws on bytes that are no message.
    return undefined;
  }
  return { own: Buffer.concat(own), starts, end };
}
