// Settings as the tree that `settings-reader.ts` reads, so that what a sidecar sends to the agent passes the same strict
// reader as an operator's file: the agent believes nothing that was checked elsewhere.

import type { CidrRange } from '../../config/address.ts';
import type { CaptureSettings, PortRange } from '../capture/settings.ts';

/** What has a default is said nevertheless, whatever that of the reader is. */
export function settingsTree(settings: CaptureSettings): object {
  const { outbound, inbound, dns, proxy, policy, shortcut, events } = settings;
  const { port, loopback, linkLocal } = outbound;
  return {
    capture: {
      outbound: {
        port,
        include_ports: outbound.includePorts.map(portRangeText),
        exclude_ports: outbound.excludePorts.map(portRangeText),
        include_cidrs: outbound.includeCidrs.map(cidrText),
        exclude_cidrs: outbound.excludeCidrs.map(cidrText),
        loopback,
        link_local: linkLocal,
        include_cgroups: outbound.includeCgroups,
        exclude_cgroups: outbound.excludeCgroups,
        // Agents of before knew no such fields, and refuse what they do not know.
        ...(outbound.includeUids.length > 0 && { include_uids: outbound.includeUids }),
        ...(outbound.includeGids.length > 0 && { include_gids: outbound.includeGids }),
      },
      inbound: {
        port: inbound.port,
        include_ports: inbound.includePorts.map(portRangeText),
        exclude_ports: inbound.excludePorts.map(portRangeText),
      },
      // No servers are every server to the settings, and a star to the reader.
      ...(dns !== undefined && { dns: { port: dns.port, servers: dns.servers.length === 0 ? ['*'] : dns.servers } }),
      proxy,
      policy,
      shortcut,
      events,
    },
  };
}

function portRangeText({ first, last }: PortRange): string | number {
  return first === last ? first : `${first}-${last}`;
}

function cidrText({ ip, prefixLength }: CidrRange): string {
  return `${ip}/${prefixLength}`;
}
