// `80`, `8000-8010` (or `8000:8010`, as iptables writes it), and what a list of them comes to.

import type { PortRange } from './settings.ts';

/** Undefined for what is no port or range of ports from 1 to 65535. */
export function parsePortRange(value: unknown): PortRange | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const match = /^([1-9]\d{0,4})(?:[-:]([1-9]\d{0,4}))?$/.exec(String(value));
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last <= 65535 ? { first, last } : undefined;
}

export function hasPort(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(({ first, last }) => first <= port && port <= last);
}

export function formatPortRange({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}
