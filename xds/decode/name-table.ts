// The table of names that a sidecar answers DNS by. As in Istio's agent, what is no address is passed over, and so is a name
// that has no address then.

import { isIPv4, isIPv6 } from 'node:net';
import type { NamedHost, NameTable } from '../../config/name-table.ts';
import type { NameTable_NameInfo as InfoMessage, NameTable as Message } from '../generated/messages.ts';

export function decodeNameTable({ table = {} }: Message): NameTable {
  const hosts = new Map<string, NamedHost>();
  for (const [name, info] of Object.entries(table)) {
    const host = decodeHost(info);
    if (host.ipv4.length + host.ipv6.length > 0) hosts.set(plainName(name), host);
  }
  return hosts;
}

function decodeHost({ ips = [], registry, shortname = '', namespace = '', altHosts = [] }: InfoMessage): NamedHost {
  const isService = registry === 'Kubernetes' && shortname !== '' && namespace !== '';
  return {
    ipv4: ips.filter((ip) => isIPv4(ip)),
    // With a zone it is no address that others can use.
    ipv6: ips.filter((ip) => isIPv6(ip) && !ip.includes('%')),
    service: isService ? { name: shortname.toLowerCase(), namespace: namespace.toLowerCase() } : undefined,
    aliases: isService ? altHosts.map(plainName) : [],
  };
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
