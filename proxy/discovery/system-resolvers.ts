// Resolvers with the settings of this machine: its hosts file, its search domains, and its name servers unless a
// cluster names others.

import { existsSync, readFileSync } from 'node:fs';
import { type Address, formatAddress } from '../../config/address.ts';
import { createDnsQuery } from './dns-query.ts';
import { type DnsResolver, NameResolver } from './dns-resolver.ts';
import { watchHosts } from './hosts-file.ts';
import { parseSearchRules } from './resolv-conf.ts';

/** One resolver for each list of servers, shared by all clusters that name the same. */
export function createSystemResolvers(): (resolvers: readonly Address[]) => DnsResolver {
  const hosts = watchHosts('/etc/hosts');
  const search = parseSearchRules(existsSync(resolvConf) ? readFileSync(resolvConf, 'utf8') : '');
  const known = new Map<string, DnsResolver>();
  return (resolvers) => {
    const key = resolvers.map(formatAddress).join(' ');
    let resolver = known.get(key);
    if (resolver === undefined) {
      const query = createDnsQuery({ resolvers, timeoutMs: 5000, maxConcurrent: 64 });
      resolver = new NameResolver({ query, hosts, search });
      known.set(key, resolver);
    }
    return resolver;
  };
}

const resolvConf = '/etc/resolv.conf';
