// What the kernel lets this thread do beyond its user (capabilities(7)). Loading needs CAP_BPF and CAP_NET_ADMIN; before
// Linux 5.8, and for whom it was not split off, CAP_SYS_ADMIN stands for CAP_BPF.

import { readFileSync } from 'node:fs';

/** Bits of the sets, those that we ask for. */
export const Capability = {
  CAP_DAC_OVERRIDE: 1,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;

export type CapabilityName = keyof typeof Capability;

/** The capabilities that hold now, of those in `Capability`. */
export function effectiveCapabilities(): ReadonlySet<CapabilityName> {
  return capabilitiesOf(readFileSync('/proc/thread-self/status', 'latin1'));
}

/** Those of a process, from the text of its /proc/PID/status. None when it has no line about them. */
export function capabilitiesOf(status: string): ReadonlySet<CapabilityName> {
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-fA-F]{1,16})$/m.exec(status)?.[1] ?? '0'}`);
  const names = Object.keys(Capability) as CapabilityName[];
  return new Set(names.filter((name) => ((bits >> BigInt(Capability[name])) & 1n) !== 0n));
}
