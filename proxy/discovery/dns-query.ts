// One question to a DNS server, by c-ares, which works on the event loop and blocks nobody (getaddrinfo would take a
// thread and know no TTL).

import { Resolver } from 'node:dns/promises';
import { type Address, formatAddress } from '../../config/address.ts';

export type RecordType = 'A' | 'AAAA';

export type QueryOutcome =
  /** No addresses: the name does not exist, or has none of this type. `ttlMs` is the shortest, null without any. */
  | { readonly kind: 'answered'; readonly ips: readonly string[]; readonly ttlMs: number | null }
  /** Nobody could say: a time-out, a refusal, a broken answer. */
  | { readonly kind: 'failed'; readonly reason: string };

export type DnsQuery = (name: string, type: RecordType) => Promise<QueryOutcome>;

export interface DnsQueryOptions {
  /** Empty means those of the system. */
  readonly resolvers: readonly Address[];
  /** For one try; four are made, as in Envoy. */
  readonly timeoutMs: number;
  /** More wait their turn: thousands of clusters may start at once. */
  readonly maxConcurrent: number;
}

export function createDnsQuery({ resolvers, timeoutMs, maxConcurrent }: DnsQueryOptions): DnsQuery {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 4 });
  if (resolvers.length > 0) resolver.setServers(resolvers.map(formatAddress));
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (name, type) => {
    if (running < maxConcurrent) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await ask(resolver, name, type);
    } finally {
      // The place goes straight to who waits: nobody can take it in between.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

async function ask(resolver: Resolver, name: string, type: RecordType): Promise<QueryOutcome> {
  try {
    const records = await (type === 'A'
      ? resolver.resolve4(name, { ttl: true })
      : resolver.resolve6(name, { ttl: true }));
    const ttlMs = records.length === 0 ? null : Math.min(...records.map((record) => record.ttl)) * 1000;
    return { kind: 'answered', ips: records.map((record) => record.address), ttlMs };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // That there is nothing is an answer.
    if (code === 'ENOTFOUND' || code === 'ENODATA') return { kind: 'answered', ips: [], ttlMs: null };
    return { kind: 'failed', reason: message };
  }
}
