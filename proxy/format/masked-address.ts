// An address with only its first bits, as a network in CIDR notation (RFC 4632 §3.1): for logs that must not name people.

import { isIPv4, isIPv6 } from 'node:net';

/** Null when it is no IP address. More bits than it has are all that it has. */
export function maskedAddress(address: string | null, wanted: number): string | null {
  if (address === null) return null;
  if (isIPv4(address)) return maskedIpv4(address, Math.min(32, wanted));
  if (isIPv6(address) && !address.includes('%')) return maskedIpv6(address, Math.min(128, wanted));
  return null;
}

function maskedIpv4(address: string, bits: number): string {
  let masked = '';
  let at = 0;
  for (let left = bits; left > bits - 32; left -= 8) {
    const dot = address.indexOf('.', at);
    const byte = Number(dot < 0 ? address.slice(at) : address.slice(at, dot));
    masked += `${masked === '' ? '' : '.'}${byte & (0xff00 >> clamped(left, 8)) & 0xff}`;
    at = dot + 1;
  }
  return `${masked}/${bits}`;
}

function maskedIpv6(address: string, bits: number): string {
  // The parser of URLs leaves hexadecimal groups and one `::` at most, and writes them as RFC 5952 asks.
  const text = urlHost(address);
  const gap = text.indexOf('::');
  const missing = gap < 0 ? 0 : 8 - groupCount(text.slice(0, gap)) - groupCount(text.slice(gap + 2));
  const zeros = '0:'.repeat(missing);
  const whole = gap < 0 ? text : `${gap === 0 ? '' : `${text.slice(0, gap)}:`}${zeros}${text.slice(gap + 2)}`;
  let masked = '';
  let at = 0;
  for (let left = bits; left > bits - 128; left -= 16) {
    const colon = whole.indexOf(':', at);
    const group = Number.parseInt((colon < 0 ? whole.slice(at) : whole.slice(at, colon)) || '0', 16);
    masked += `${masked === '' ? '' : ':'}${(group & (0xffff0000 >> clamped(left, 16)) & 0xffff).toString(16)}`;
    at = colon + 1;
  }
  return `${urlHost(masked)}/${bits}`;
}

function clamped(bits: number, most: number): number {
  return Math.min(most, Math.max(0, bits));
}

function groupCount(text: string): number {
  if (text === '') return 0;
  let count = 1;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) count++;
  return count;
}

function urlHost(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
