// `/etc/hosts`: names that are answered before DNS is asked (hosts(5)).

import { readFileSync, statSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';

export interface HostsEntry {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** Addresses by lower-case name. */
export type Hosts = ReadonlyMap<string, HostsEntry>;

/** Lines that are no `address name…` are passed over, as the C library does. */
export function parseHosts(text: string): Hosts {
  const hosts = new Map<string, { ipv4: string[]; ipv6: string[] }>();
  for (const line of text.split('\n')) {
    const [ip = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const family = isIPv4(ip) ? 'ipv4' : isIPv6(ip) && !ip.includes('%') ? 'ipv6' : null;
    if (family === null) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      const entry = hosts.get(key) ?? { ipv4: [], ipv6: [] };
      hosts.set(key, entry);
      if (!entry[family].includes(ip)) entry[family].push(ip);
    }
  }
  return hosts;
}

/** Reads the file again when it was written since the last look; a file that is not there is empty. */
export function watchHosts(path: string): () => Hosts {
  let hosts: Hosts = new Map();
  let readVersion = '';
  return () => {
    const stat = statSync(path, { throwIfNoEntry: false });
    const version = stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
    if (version !== readVersion) hosts = stat === undefined ? new Map() : parseHosts(readFileSync(path, 'utf8'));
    readVersion = version;
    return hosts;
  };
}
