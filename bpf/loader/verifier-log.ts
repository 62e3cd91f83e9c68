// What the verifier says, for people. Its log is a walk through every instruction, thousands of lines, with the reason at
// the very end and the line of C that it is about somewhere above (kernel: Documentation/bpf/verifier.rst). Here the reason
// comes first, then the C line, then the last steps; the whole log stays for those who ask.

import type { LoadFailure } from './load-failure.ts';

export interface VerifierReason {
  /** The verifier's own words, such as `R1 invalid mem access 'scalar'`. */
  readonly reason: string;
  /** Of the program that was refused; absent when the log does not begin with it. */
  readonly program?: string;
  /** The line of C that it is about, ``outbound.bpf.c:12 `port = ctx->user_port;` ``; absent when the log has none. */
  readonly source?: string;
  /** The last steps before it, in the log's order. */
  readonly steps: readonly string[];
}

/** Undefined for a log that says nothing. Parts of several programs begin with the program's name and a colon. */
export function readVerifierLog(log: string): VerifierReason | undefined {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !AFTERWARDS.test(line));
  const end = lines.findLastIndex((line) => !STEP.test(line) && !PROGRAM.test(line));
  if (end < 0) return undefined;
  const start = lines.slice(0, end).findLastIndex((line) => PROGRAM.test(line)) + 1;
  const before = lines.slice(start, end);
  const program = start === 0 ? undefined : PROGRAM.exec(lines[start - 1]!)![1]!;
  const source = before.findLast((line) => line.startsWith(';'));
  return {
    reason: lines[end]!.trim(),
    ...(program !== undefined && { program }),
    ...(source !== undefined && { source: sourceText(source) }),
    steps: before.slice(-STEPS_SHOWN),
  };
}

/** The failure of loading the object `name` when the verifier was the one to refuse it. */
export function verifierFailure(name: string, log: string): LoadFailure | undefined {
  const read = readVerifierLog(log);
  if (read === undefined) return undefined;
  const what = read.program === undefined ? `a program of ${name}` : `${read.program} of ${name}`;
  const at = read.source === undefined ? '' : `, at ${read.source}`;
  return { reason: `the kernel's verifier refuses ${what}: ${read.reason}${at}`, verifierLog: log };
}

/** A few lines for a terminal: the reason, where, and the last steps. */
export function shortLog(log: string): readonly string[] {
  const read = readVerifierLog(log);
  if (read === undefined) return [];
  const where = [read.program, read.source].filter((part) => part !== undefined).join(', ');
  return [read.reason, ...(where === '' ? [] : [`  in ${where}`]), ...read.steps.map((step) => `    ${step}`)];
}

const STEPS_SHOWN = 8;
const PROGRAM = /^(\w+):$/;
/** What follows the reason: statistics, and the two states of a loop without end. */
const AFTERWARDS = /^(processed \d+ insns|verification time|stack depth|(cur|old) state:|-- (BEGIN|END))/;
/** `12: (79) r1 = …`, `; source`, and notes on the walk. */
const STEP = /^(;|\d+: |from \d+ to \d+|(mark_precise|last_idx|regs|parent|caller|callee|returning from)\b|\s)/i;

/** `; port = ctx->user_port; @ outbound.bpf.c:12`; before Linux 6.9 without the place. */
function sourceText(line: string): string {
  const [, text, place] = /^;\s*(.*?)\s*(?:@ (\S+))?$/.exec(line)!;
  return [place, text === '' ? undefined : `\`${text}\``].filter((part) => part !== undefined).join(' ');
}
