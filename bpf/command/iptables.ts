// `outrigger iptables`: redirection by rules that a person or an init container puts in place, for a sidecar that has no right
// to. The rules are those of `--capture iptables`; each command looks at both back ends, since a rule in either is in force.

import { type BackendName, findBackends, type IptablesBackend } from '../capture/iptables-backend.ts';
import { familiesHere, istioProblem, openIptablesCapture, removeIptablesCapture } from '../capture/iptables-capture.ts';
import {
  isOurs,
  type RunProgram,
  readTables,
  restoreText,
  rulesIn,
  TABLES,
  type TableName,
} from '../capture/iptables-program.ts';
import { type IpFamily, rulesOf, zoneRulesOf } from '../capture/iptables-rules.ts';
import type { CaptureSettings } from '../capture/settings.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { failed, type Outcome } from './outcome.ts';

export interface RulesPlace {
  /** The one that `iptables` is, when absent. */
  readonly backend?: BackendName | undefined;
  readonly run: RunProgram;
  readonly hasLegacyTables?: () => boolean;
}

/** Puts the rules of `settings` in the place of those of ours that are there. */
export function applyRules(settings: CaptureSettings, place: RulesPlace): Outcome {
  const backends = findBackends({ ...place, name: place.backend });
  if (isFailure(backends)) return failedWith(backends);
  const { chosen, other } = backends;
  const taken = other === undefined ? undefined : istioIn(other);
  if (taken !== undefined) return failedWith(taken);
  const applied = openIptablesCapture({ settings, run: chosen.run });
  if (isFailure(applied)) return failedWith(applied);
  // Only now: between the two there is no moment without rules.
  const left = other === undefined ? undefined : removeIptablesCapture(undefined, other.run);
  if (left !== undefined) return failedWith(left);
  const families = familiesHere();
  const { outbound, inbound } = settings;
  const names = families.map((family) => `IPv${family}`).join(' and ');
  return {
    text: `connections go to ports ${outbound.port} and ${inbound.port}: ${names}, ${chosen.name}\n`,
    data: { outboundPort: outbound.port, inboundPort: inbound.port, families, backend: chosen.name },
    exitCode: 0,
  };
}

/** What `applyRules` would give to iptables-restore and ip6tables-restore where nothing of ours is there yet. */
export function printRules(settings: CaptureSettings): Outcome {
  const families = familiesHere().map((family) => ({
    family,
    rules: rulesOf(settings, family),
    zoneRules: zoneRulesOf(settings, family),
  }));
  const text = families
    .map(({ family, rules, zoneRules }) => {
      const raw = zoneRules.length === 0 ? '' : restoreText({ name: 'raw', table: '', rules: zoneRules });
      return `# IPv${family}\n${raw}${restoreText({ table: '', rules })}`;
    })
    .join('');
  return { text, data: { families }, exitCode: 0 };
}

/** Takes away rules of ours, whoever made them: a sidecar that was killed too. */
export function cleanRules(place: RulesPlace): Outcome {
  const backends = findBackends({ ...place, name: place.backend });
  if (isFailure(backends)) return failedWith(backends);
  for (const { run } of eachOf(backends)) {
    const failure = removeIptablesCapture(undefined, run);
    if (failure !== undefined) return failedWith(failure);
  }
  return { text: 'no rules of outrigger are left\n', data: { families: familiesHere() }, exitCode: 0 };
}

interface TableShown {
  readonly backend: BackendName;
  readonly family: IpFamily;
  readonly name: TableName;
  /** As iptables-save prints them, with how many met each: connections in nat, which sees the first packet alone, else packets. */
  readonly rules: readonly { readonly rule: string; readonly met: number }[];
}

/** Rules of ours that are there; not well where there are none. */
export function showRules(place: RulesPlace): Outcome {
  const backends = findBackends({ ...place, name: place.backend });
  if (isFailure(backends)) return failedWith(backends);
  const shown: TableShown[] = [];
  for (const { name, run } of eachOf(backends)) {
    for (const family of familiesHere()) {
      const tables = readTables(family, run);
      if (isFailure(tables)) return failedWith(tables);
      for (const table of TABLES) {
        const rules = rulesIn(tables[table])
          .filter(({ chain, target }) => isOurs(chain) || isOurs(target))
          .map(({ rule, packets }) => ({ rule, met: packets }));
        if (rules.length > 0) shown.push({ backend: name, family, name: table, rules });
      }
    }
  }
  if (shown.length === 0)
    return { text: 'outrigger iptables: there are no rules of outrigger here\n', data: { tables: [] }, exitCode: 1 };
  return { text: shown.map(textOf).join(''), data: { tables: shown }, exitCode: 0 };
}

function textOf({ backend, family, name, rules }: TableShown): string {
  const lines = rules.map(({ rule, met }) => `${String(met).padStart(8)}  ${rule}\n`);
  const counted = name === 'nat' ? 'connections' : 'packets';
  return `IPv${family}, ${backend}, table ${name}; ${counted} that met each rule:\n${lines.join('')}`;
}

function eachOf({ chosen, other }: { chosen: IptablesBackend; other?: IptablesBackend }): readonly IptablesBackend[] {
  return other === undefined ? [chosen] : [chosen, other];
}

function istioIn({ run }: IptablesBackend): LoadFailure | undefined {
  for (const family of familiesHere()) {
    const tables = readTables(family, run);
    const problem = isFailure(tables) ? tables : istioProblem(tables.nat);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function failedWith(failure: LoadFailure): Outcome {
  return failed(failure, 'outrigger iptables');
}
