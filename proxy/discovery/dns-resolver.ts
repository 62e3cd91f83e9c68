// From a name to addresses, in the order of the C library: literals, `/etc/hosts`, then DNS with the search domains of
// `/etc/resolv.conf`, for the families that the cluster wants.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto#enum-config-cluster-v3-cluster-dnslookupfamily

import { isIP } from 'node:net';
import type { DnsLookupFamily } from '../../config/cluster.ts';
import type { DnsQuery, QueryOutcome, RecordType } from './dns-query.ts';
import type { Hosts, HostsEntry } from './hosts-file.ts';
import { type SearchRules, searchNames } from './resolv-conf.ts';

export interface DnsResolver {
  /** Never rejects. */
  resolve(hostname: string, family: DnsLookupFamily): Promise<QueryOutcome>;
}

export interface NameResolverOptions {
  readonly query: DnsQuery;
  /** May throw when the file cannot be read. */
  readonly hosts: () => Hosts;
  readonly search: SearchRules;
}

export class NameResolver implements DnsResolver {
  readonly #query: DnsQuery;
  readonly #hosts: () => Hosts;
  readonly #search: SearchRules;

  constructor({ query, hosts, search }: NameResolverOptions) {
    this.#query = query;
    this.#hosts = hosts;
    this.#search = search;
  }

  async resolve(hostname: string, family: DnsLookupFamily): Promise<QueryOutcome> {
    if (isIP(hostname) !== 0) return { kind: 'answered', ips: [hostname], ttlMs: null };
    const local = this.#lookUpLocally(hostname.toLowerCase(), family);
    if (local.kind === 'failed' || local.ips.length > 0) return local;
    let outcome = nothing;
    for (const name of searchNames(hostname, this.#search)) {
      outcome = await this.#queryFamily(name, family);
      // The next search domain is for names that do not exist here, not for servers that do not answer.
      if (outcome.kind === 'failed' || outcome.ips.length > 0) break;
    }
    return outcome;
  }

  #lookUpLocally(name: string, family: DnsLookupFamily): QueryOutcome {
    let hosts: Hosts;
    try {
      hosts = this.#hosts();
    } catch (error) {
      return { kind: 'failed', reason: (error as Error).message };
    }
    // RFC 6761 §6.3: never asked of a DNS server.
    const isLocalhost = name === 'localhost' || name.endsWith('.localhost');
    const entry = hosts.get(name) ?? (isLocalhost ? loopback : noAddresses);
    const { types, wantsAll } = recordTypes[family];
    const [first, second] = types.map((type) => (type === 'A' ? entry.ipv4 : entry.ipv6));
    const isEnough = first!.length > 0 && !wantsAll;
    return { kind: 'answered', ips: isEnough ? first! : [...first!, ...(second ?? [])], ttlMs: null };
  }

  async #queryFamily(name: string, family: DnsLookupFamily): Promise<QueryOutcome> {
    const { types, wantsAll } = recordTypes[family];
    const [first, second] = types;
    if (second === undefined) return this.#query(name, first);
    if (wantsAll) return merge(await Promise.all([this.#query(name, first), this.#query(name, second)]));
    const preferred = await this.#query(name, first);
    if (preferred.kind === 'answered' && preferred.ips.length > 0) return preferred;
    return merge([preferred, await this.#query(name, second)]);
  }
}

interface FamilyRule {
  readonly types: readonly [RecordType, RecordType?];
  /** Ask for both types, not for the second when the first gives nothing. */
  readonly wantsAll: boolean;
}

const recordTypes: Readonly<Record<DnsLookupFamily, FamilyRule>> = {
  'v4-only': { types: ['A'], wantsAll: false },
  'v6-only': { types: ['AAAA'], wantsAll: false },
  auto: { types: ['AAAA', 'A'], wantsAll: false },
  'v4-preferred': { types: ['A', 'AAAA'], wantsAll: false },
  all: { types: ['A', 'AAAA'], wantsAll: true },
};

const nothing: QueryOutcome = { kind: 'answered', ips: [], ttlMs: null };

const loopback: HostsEntry = { ipv4: ['127.0.0.1'], ipv6: ['::1'] };

const noAddresses: HostsEntry = { ipv4: [], ipv6: [] };

/** Addresses of either family are an answer; none at all is one only when both families answered. */
function merge([a, b]: readonly [QueryOutcome, QueryOutcome]): QueryOutcome {
  const ips = [...(a.kind === 'answered' ? a.ips : []), ...(b.kind === 'answered' ? b.ips : [])];
  if (ips.length === 0 && a.kind === 'failed') return a;
  if (ips.length === 0 && b.kind === 'failed') return b;
  const ttls = [a, b].flatMap((outcome) =>
    outcome.kind === 'answered' && outcome.ttlMs !== null ? [outcome.ttlMs] : [],
  );
  return { kind: 'answered', ips, ttlMs: ttls.length === 0 ? null : Math.min(...ttls) };
}
