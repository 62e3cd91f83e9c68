// Capture by iptables' REDIRECT, with the meaning that the settings have for eBPF but for the policy: rules do not look
// whether anybody listens, so a proxy that dies leaves connections refused.

import { existsSync } from 'node:fs';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { CaptureCounters } from './capture.ts';
import {
  hasOurs,
  istioChains,
  type RunProgram,
  readTables,
  rulesIn,
  runProgram,
  TABLES,
  type TableChange,
  writeTable,
} from './iptables-program.ts';
import { CHAINS, type IpFamily, rulesOf, zoneRulesOf } from './iptables-rules.ts';
import { inNamespace } from './network-namespace.ts';
import type { CaptureSettings } from './settings.ts';

export interface IptablesCaptureOptions {
  readonly settings: CaptureSettings;
  /** Of the pod, stays the caller's; this process's own when absent. */
  readonly netnsFd?: number | undefined;
  /** A test has its own. */
  readonly run?: RunProgram;
}

/**
 * Replaces what an earlier process of ours left there. A failure leaves no rules of ours behind, but under the policy
 * `closed` those from before: without them the application's connections would pass by the proxy.
 */
export function openIptablesCapture(options: IptablesCaptureOptions): IptablesCapture | LoadFailure {
  const { settings, netnsFd, run = runProgram } = options;
  const refusal = missingSign(settings);
  if (refusal !== undefined) return refusal;
  const applied = inNamespace(netnsFd, () => {
    const families = familiesHere();
    return applyRules(settings, families, run) ?? families;
  });
  return isFailure(applied) ? applied : new IptablesCapture({ ...options, run }, applied);
}

/** Takes away rules of ours, whoever made them. */
export function removeIptablesCapture(netnsFd?: number, run: RunProgram = runProgram): LoadFailure | undefined {
  return inNamespace(netnsFd, () => removeRules(familiesHere(), run));
}

export class IptablesCapture {
  readonly #netnsFd: number | undefined;
  readonly #run: RunProgram;
  readonly #families: readonly IpFamily[];

  constructor({ netnsFd, run = runProgram }: IptablesCaptureOptions, families: readonly IpFamily[]) {
    this.#netnsFd = netnsFd;
    this.#run = run;
    this.#families = families;
  }

  /** Connections since the rules were made. Runs iptables-save: some milliseconds. */
  counters(): readonly CaptureCounters[] {
    const counted = inNamespace(this.#netnsFd, () =>
      this.#families.map((family) => ({ family, tables: readTables(family, this.#run) })),
    );
    if (isFailure(counted)) return [];
    const outbound: Record<string, number> = {};
    const inbound: Record<string, number> = {};
    for (const { family, tables } of counted) {
      if (isFailure(tables)) continue;
      outbound[`captured_tcp${family}`] = captured(tables.nat, CHAINS.capture);
      outbound['captured_dns'] = (outbound['captured_dns'] ?? 0) + captured(tables.nat, CHAINS.output);
      inbound[`steered${family}`] = captured(tables.nat, CHAINS.inbound);
    }
    return [
      { group: 'outbound', counts: outbound },
      { group: 'inbound', counts: inbound },
    ];
  }

  /** `stay` leaves the rules. */
  release(outcome: 'detach' | 'stay'): LoadFailure | undefined {
    return outcome === 'stay' ? undefined : inNamespace(this.#netnsFd, () => removeRules(this.#families, this.#run));
  }
}

/** Rules have no other way to tell the proxy, and without one its connections come back to it. */
function missingSign({ proxy }: CaptureSettings): LoadFailure | undefined {
  const { uids, gids, mark, cgroup } = proxy;
  if (uids.length > 0 || gids.length > 0 || mark !== undefined || cgroup !== undefined) return undefined;
  return {
    reason: "the proxy's own connections cannot be told from the application's",
    wayOut: 'name its uid, gid, mark or cgroup in the settings (proxy)',
  };
}

/** A kernel without IPv6 has no table for it, and no connections. */
export function familiesHere(): readonly IpFamily[] {
  return existsSync('/proc/thread-self/net/if_inet6') ? [4, 6] : [4];
}

function applyRules(
  settings: CaptureSettings,
  families: readonly IpFamily[],
  run: RunProgram,
): LoadFailure | undefined {
  const changes: (TableChange & { readonly family: IpFamily })[] = [];
  for (const family of families) {
    const tables = readTables(family, run);
    if (isFailure(tables)) return tables;
    const { nat, raw } = tables;
    const taken = istioProblem(nat);
    if (taken !== undefined) return taken;
    const zoneRules = zoneRulesOf(settings, family);
    // Nothing is asked of that table without DNS: not every kernel has it.
    if (zoneRules.length > 0 || hasOurs(raw)) changes.push({ family, name: 'raw', table: raw, rules: zoneRules });
    changes.push({ family, table: nat, rules: rulesOf(settings, family) });
  }
  const steps = [true, false].flatMap((isTest) => changes.map((change) => ({ ...change, isTest })));
  // All are tried before the first is made: one family alone would be a way around the proxy.
  for (const { family, ...change } of steps) {
    const failure = writeTable(family, change, run);
    if (failure === undefined) continue;
    const isKept = ({ table }: TableChange) => settings.policy === 'closed' && hasOurs(table);
    const kept = changes.filter(isKept).map((each) => each.family);
    const left = removeRules(
      families.filter((each) => !kept.includes(each)),
      run,
    );
    return left === undefined ? failure : { ...failure, reason: `${failure.reason}; and ${left.reason}` };
  }
  return undefined;
}

function removeRules(families: readonly IpFamily[], run: RunProgram): LoadFailure | undefined {
  const failures = families.flatMap((family) => {
    const tables = readTables(family, run);
    if (isFailure(tables)) return [tables];
    return TABLES.map((name) => {
      const table = tables[name];
      return hasOurs(table) ? writeTable(family, { name, table, rules: [] }, run) : undefined;
    });
  });
  return failures.find((failure) => failure !== undefined);
}

/** Rules of Istio in a table would redirect beside ours. */
export function istioProblem(table: string): LoadFailure | undefined {
  const chains = istioChains(table);
  if (chains.length === 0) return undefined;
  return {
    reason: `connections are redirected already, by the rules of Istio (${chains.join(', ')})`,
    wayOut: 'run without --capture, or without istio-init and the Istio CNI plugin for this pod',
  };
}

function captured(table: string, chain: string): number {
  const rules = rulesIn(table).filter((rule) => rule.chain === chain && rule.target === 'REDIRECT');
  return rules.reduce((sum, { packets }) => sum + packets, 0);
}
