// A connection event in words, by going through the fields that the generated view has: one added in C is printed at once.

import { type ConnectionEventView, EventKind } from '../generated/events.ts';

export type EventFields = Readonly<Record<string, string | number>>;

/** All fields by name, addresses as text. A copy: the view shows the next event soon. */
export function eventFields(event: ConnectionEventView): EventFields {
  const fields: Record<string, string | number> = {};
  for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(event)))) {
    if (get === undefined) continue;
    const value: unknown = get.call(event);
    if (typeof value === 'number' || typeof value === 'string') fields[name] = value;
  }
  // Structs within the struct are views of their own; those that we have are addresses.
  for (const [name, value] of Object.entries(event)) {
    if (value?.ip instanceof Uint8Array) fields[name] = addressText(value.ip);
  }
  return { ...fields, kind: KINDS[fields['kind'] as number] ?? `kind ${fields['kind']}` };
}

export function eventText(fields: EventFields): string {
  const { kind, ...rest } = fields;
  return [kind, ...Object.entries(rest).map(([name, value]) => `${name}=${value}`)].join(' ');
}

const KINDS: readonly string[] = Object.keys(EventKind).map((name) => name.toLowerCase().replaceAll('_', '-'));

/** IPv4 is held as a mapped address (RFC 4291, 2.5.5.2). */
function addressText(ip: Uint8Array): string {
  const isMapped = ip.subarray(0, 10).every((byte) => byte === 0) && ip[10] === 0xff && ip[11] === 0xff;
  if (isMapped) return ip.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((ip[index * 2]! << 8) | ip[index * 2 + 1]!).toString(16));
  // The shortest spelling (RFC 5952) is what a URL has.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
