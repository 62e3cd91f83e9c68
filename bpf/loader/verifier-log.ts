// What the verifier says, for people. Its log is a walk through every instruction, thousands of lines, with the reason at
// the very end and the line of C that it is about somewhere above (kernel: Documentation/bpf/verifier.rst). Here the reason
// comes first, then the C line, then the last steps; the whole log stays for those who ask.

import type { LoadFailure } from './load-failure.ts';

export interface VerifierReason {
  /** The verifier's own words, such as `R1 invalid mem access 'scalar'`. */
  readonly reason: string;
  /** The line of C that it is about, `struct sk *s = ctx->sk; @ outbound.bpf.c:12`; absent when the log has none. */
  readonly source?: string;
  /** The last steps before it, in the log's order, without the reason. */
  readonly steps: readonly string[];
}

/** Undefined for a log that says nothing. */
export function readVerifierLog(log: string): VerifierReason | undefined {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !CLOSING.test(line));
  const end = lines.findLastIndex((line) => !STEP.test(line));
  if (end < 0) return undefined;
  const source = lines.slice(0, end).findLast((line) => SOURCE.test(line));
  return {
    reason: lines[end]!.trim(),
    ...(source !== undefined && { source: source.replace(SOURCE, '').trim() }),
    steps: lines.slice(Math.max(0, end - STEPS_SHOWN), end),
  };
}

/** The failure of a load of `what` that the verifier had something to say about; `errno` for when it had not. */
export function verifierFailure(what: string, log: string): LoadFailure | undefined {
  const read = readVerifierLog(log);
  if (read === undefined) return undefined;
  const at = read.source === undefined ? '' : `, at \`${read.source}\``;
  return { reason: `the kernel's verifier refuses ${what}: ${read.reason}${at}`, verifierLog: log };
}

/** A few lines for a terminal: reason, source, last steps. */
export function shortLog(log: string): readonly string[] {
  const read = readVerifierLog(log);
  if (read === undefined) return [];
  const source = read.source === undefined ? [] : [`  at ${read.source}`];
  return [read.reason, ...source, ...read.steps.map((step) => `    ${step}`)];
}

const STEPS_SHOWN = 8;
/** Statistics that follow the reason. */
const CLOSING = /^(processed \d+ insns|verification time|stack depth|mark_precise|-- (BEGIN|END))/;
/** `; x = y; @ file.c:12`. */
const SOURCE = /^;\s*/;
/** `12: (79) r1 = …`, `12: R1=ctx() …`, `; source`, and notes on the walk. */
const STEP =
  /^(;|\d+: |from \d+ to \d+|last_idx|regs=|parent |func#\d+ @|Func#\d+|caller:|callee:|returning from callee|\s)/;
