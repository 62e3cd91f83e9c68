// Reading and writing tables by the programs of iptables: nat, and raw for DNS. Each change of a family is one transaction: it is made as
// a whole or not at all, and what others keep in the table stays (iptables-restore --noflush).

import { spawnSync } from 'node:child_process';
import type { LoadFailure } from '../loader/load-failure.ts';
import { CHAINS, type IpFamily, ZONE_CHAIN } from './iptables-rules.ts';

/** Runs a program to its end; a test has its own. */
export type RunProgram = (command: string, args: readonly string[], input: string) => ProgramOutcome;

export interface ProgramOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** When it could not be started. */
  readonly error?: NodeJS.ErrnoException | undefined;
}

export const runProgram: RunProgram = (command, args, input) =>
  spawnSync(command, args, { input, encoding: 'utf8', timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES });

/** Those that rules of ours are in. */
export const TABLES = ['nat', 'raw'] as const;
export type TableName = (typeof TABLES)[number];

/** As they are, in the form of iptables-save, with counters. One that is not there is empty. */
export type Tables = Readonly<Record<TableName, string>>;

/** None is asked for by its name: the older back end would make it, and from then on every packet passes there. */
export function readTables(family: IpFamily, run: RunProgram): Tables | LoadFailure {
  const program = family === 4 ? 'iptables-save' : 'ip6tables-save';
  const outcome = run(program, ['-c'], '');
  if (outcome.status !== 0) return programFailure(`read the rules of IPv${family}`, program, outcome);
  return { nat: tableIn(outcome.stdout, 'nat'), raw: tableIn(outcome.stdout, 'raw') };
}

function tableIn(text: string, name: TableName): string {
  return new RegExp(`^\\*${name}\n.*?^COMMIT\n`, 'ms').exec(text)?.[0] ?? '';
}

export interface TableChange {
  /** nat when it is not said. */
  readonly name?: TableName;
  /** The table as it is. */
  readonly table: string;
  /** Our rules from now on; none takes our chains away. */
  readonly rules: readonly string[];
  readonly isTest?: boolean;
}

/** Puts `rules` in the place of those of ours that are there. */
export function writeTable(family: IpFamily, change: TableChange, run: RunProgram): LoadFailure | undefined {
  const program = family === 4 ? 'iptables-restore' : 'ip6tables-restore';
  const args = ['--noflush', `--wait=${LOCK_SECONDS}`, ...(change.isTest ? ['--test'] : [])];
  const outcome = run(program, args, restoreText(change));
  return outcome.status === 0 ? undefined : programFailure(`change the rules of IPv${family}`, program, outcome);
}

/** Whether anything of ours is in the table. */
export function hasOurs(table: string): boolean {
  return chainsOf(table).some(isOurs);
}

/** Chains that Istio's rules are in. */
export function istioChains(table: string): readonly string[] {
  return chainsOf(table).filter((chain) => chain.startsWith('ISTIO_'));
}

/** The change as iptables-restore reads it. */
export function restoreText({ name = 'nat', table, rules }: TableChange): string {
  // Jumps to our chains are taken back as they are written there, whatever version made them.
  const jumps = rulesIn(table).filter(({ chain, target }) => !isOurs(chain) && isOurs(target));
  const there = chainsOf(table).filter(isOurs);
  const kept = rules.length === 0 ? [] : ownChains[name];
  const lines = [
    `*${name}`,
    // To name a chain makes it, or empties it.
    ...new Set([...there, ...kept].map((chain) => `:${chain} - [0:0]`)),
    ...jumps.map(({ rule }) => rule.replace(/^-A/, '-D')),
    ...rules,
    ...there.filter((chain) => !kept.some((name) => name === chain)).map((chain) => `-X ${chain}`),
    'COMMIT',
  ];
  return `${lines.join('\n')}\n`;
}

export interface TableRule {
  readonly chain: string;
  /** Where it jumps or goes to. */
  readonly target: string;
  /** How many packets met it: of the nat table, how many connections. */
  readonly packets: number;
  /** `-A chain …`, without the counter. */
  readonly rule: string;
}

/** The rules of a table in the form of iptables-save -c. */
export function rulesIn(table: string): readonly TableRule[] {
  return table.split('\n').flatMap((line) => {
    const match = /^(?:\[(\d+):\d+\] )?(-A (\S+).*)$/.exec(line);
    if (match === null) return [];
    const target = / -[jg] (\S+)/.exec(match[2]!)?.[1] ?? '';
    return [{ chain: match[3]!, target, packets: Number(match[1] ?? 0), rule: match[2]! }];
  });
}

function chainsOf(table: string): readonly string[] {
  return [...table.matchAll(/^:(\S+) /gm)].map(([, chain]) => chain!);
}

export function isOurs(chain: string): boolean {
  return chain.startsWith('OUTRIGGER_');
}

const ownChains: Readonly<Record<TableName, readonly string[]>> = { nat: Object.values(CHAINS), raw: [ZONE_CHAIN] };

const TIMEOUT_MS = 20_000;
/** Some 500,000 rules: all tables are read, also those of others, and Node ends a program that prints more than 1 MiB. */
const OUTPUT_BYTES = 64 * 1024 * 1024;
/** Somebody else may be changing rules. */
const LOCK_SECONDS = 5;

function programFailure(attempt: string, program: string, { error, stderr, status }: ProgramOutcome): LoadFailure {
  if (error?.code === 'ENOENT') {
    return {
      reason: `cannot ${attempt}: there is no ${error.path ?? program} here`,
      wayOut: 'install iptables, or capture with eBPF',
    };
  }
  const said = error?.message ?? stderr.trim().split('\n')[0]!;
  const reason = `cannot ${attempt}: ${program} says ${said === '' ? `nothing and ends with ${status}` : said}`;
  const needsRight = /permission denied|not permitted|must be root/i.test(stderr);
  return needsRight ? { reason, wayOut: 'run as root, or with CAP_NET_ADMIN and CAP_NET_RAW' } : { reason };
}
