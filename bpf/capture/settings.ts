// What an operator may set about redirection, with the shipped defaults. The meanings are those of istio-iptables
// (https://istio.io/latest/docs/reference/commands/pilot-agent/#pilot-agent-istio-iptables), so that a pod's annotations
// say the same to both. Files are read by `settings-reader.ts`, flags and environment by `istio-flags.ts`.

import type { CidrRange } from '../../config/address.ts';

export interface CaptureSettings {
  readonly outbound: OutboundSettings;
  readonly inbound: InboundSettings;
  /** Undefined leaves DNS alone. */
  readonly dns?: DnsSettings;
  readonly proxy: ProxyIdentity;
  /** What happens to connections while nobody listens at the proxy's port: they go out as if there were no mesh, or fail. */
  readonly policy: 'open' | 'closed';
  readonly shortcut: ShortcutSettings;
  /** Whether the kernel reports the life of each connection. */
  readonly events: boolean;
  /** Room for events that were not read yet; a power of two. */
  readonly eventRingMib: number;
}

/** The longest delay of the reader fills half of the least, 200,000 events a second stay 2.5 s in the most. */
export const EVENT_RING_MIB = [1, 2, 4, 8, 16, 32, 64] as const;

/** A connection is captured when a list of includes has it (its port or its address) and no list of excludes has it. */
export interface OutboundSettings {
  /** Where the proxy listens for captured connections. */
  readonly port: number;
  readonly includePorts: readonly PortRange[];
  readonly excludePorts: readonly PortRange[];
  /** `everyAddress` captures all. */
  readonly includeCidrs: readonly CidrRange[];
  readonly excludeCidrs: readonly CidrRange[];
  /** Whether 127.0.0.0/8 and ::1 may be captured. */
  readonly loopback: boolean;
  /** Whether link-local addresses may be, with the addresses at which clouds tell machines their secrets. */
  readonly linkLocal: boolean;
  /** Connections of processes in these, or below them, are never captured. Paths below the mount of cgroup2. */
  readonly excludeCgroups: readonly string[];
  /** When it names any, only connections of processes in these are. */
  readonly includeCgroups: readonly string[];
  /** When either names any, only connections of these users, or of these groups, are. Who is the proxy never is. */
  readonly includeUids: readonly number[];
  readonly includeGids: readonly number[];
}

export interface InboundSettings {
  readonly port: number;
  readonly includePorts: readonly PortRange[];
  readonly excludePorts: readonly PortRange[];
}

export interface DnsSettings {
  /** Where the proxy answers DNS, over UDP and TCP. */
  readonly port: number;
  /** Questions to port 53 of these addresses are captured; an empty list captures those to any. */
  readonly servers: readonly string[];
}

/** How the proxy's own connections are told: one sign suffices. Captured, they would come back to it without end. */
export interface ProxyIdentity {
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  /** SO_MARK of its sockets. */
  readonly mark?: number;
  /** Path of its cgroup below the mount of cgroup2. */
  readonly cgroup?: string;
}

export interface ShortcutSettings {
  readonly enabled: boolean;
  /** Ports of the application, for connections from the proxy to it; the proxy's own are meant anyway. */
  readonly ports: readonly number[];
  /** Hazards of the kernel's shortcut that the operator knows the application to be immune to. */
  readonly accept: readonly ShortcutHazard[];
}

export const SHORTCUT_HAZARDS = ['fionread', 'blocking-recv', 'splice'] as const;
/** Bytes out of order are no hazard that an application could be immune to, so none of this name can be accepted. */
export type ShortcutHazard = (typeof SHORTCUT_HAZARDS)[number];

/** Inclusive. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What `*` says in a list of ports. */
export const everyPort: readonly PortRange[] = [{ first: 1, last: 65535 }];

/** What `*` says in a list of ranges of addresses. */
export const everyAddress: readonly CidrRange[] = [
  { ip: '0.0.0.0', prefixLength: 0 },
  { ip: '::', prefixLength: 0 },
];

const DEFAULT_PROXY_ID = 1337;

export const defaultCaptureSettings: CaptureSettings = {
  outbound: {
    port: 15001,
    includePorts: [],
    excludePorts: [],
    includeCidrs: everyAddress,
    excludeCidrs: [],
    loopback: false,
    linkLocal: false,
    excludeCgroups: [],
    includeCgroups: [],
    includeUids: [],
    includeGids: [],
  },
  inbound: {
    port: 15006,
    includePorts: everyPort,
    // Ports of the sidecar itself: the tunnel of HBONE, merged metrics, readiness, Prometheus.
    excludePorts: [
      { first: 15008, last: 15008 },
      { first: 15020, last: 15021 },
      { first: 15090, last: 15090 },
    ],
  },
  proxy: { uids: [DEFAULT_PROXY_ID], gids: [DEFAULT_PROXY_ID] },
  // A mesh that promises mTLS must not turn to plain text because a process died.
  policy: 'closed',
  shortcut: { enabled: false, ports: [], accept: [] },
  events: false,
  eventRingMib: 4,
};
