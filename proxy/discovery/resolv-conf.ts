// The part of `/etc/resolv.conf` that c-ares does not apply to single queries: which names to try for a short one
// (resolv.conf(5), `search` and `ndots`). Name servers of the file are used by c-ares itself, and are read here for those
// who pass queries on.

import { isIP } from 'node:net';

export interface SearchRules {
  readonly domains: readonly string[];
  /** A name with fewer dots is tried in the search domains first. */
  readonly minDots: number;
}

/** The last `search` or `domain` line counts. */
export function parseSearchRules(text: string): SearchRules {
  let domains: readonly string[] = [];
  let minDots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'search') domains = values;
    if (keyword === 'domain') domains = values.slice(0, 1);
    if (keyword !== 'options') continue;
    for (const value of values) {
      const dots = /^ndots:(\d+)$/.exec(value)?.[1];
      if (dots !== undefined) minDots = Math.min(15, Number(dots));
    }
  }
  return { domains: domains.map((domain) => domain.replace(/\.$/, '')), minDots };
}

/** Addresses of the first three name servers, as the C library has it; what is no address is passed over. */
export function parseNameServers(text: string): readonly string[] {
  const written = [...text.matchAll(/^[ \t]*nameserver[ \t]+([^\s#;]+)/gm)].map(([, server]) => server!);
  return written.filter((server) => isIP(server) !== 0).slice(0, 3);
}

/** Names to ask for, in order. A name that ends in a dot is complete. */
export function searchNames(name: string, { domains, minDots }: SearchRules): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const searched = domains.filter((domain) => domain !== '').map((domain) => `${name}.${domain}`);
  const dots = name.split('.').length - 1;
  return dots >= minDots ? [name, ...searched] : [...searched, name];
}
