// Reads what one test file printed. tap's own summary line is the count; everything here exists to notice when that
// line is missing, or when it says less than happened. Format: https://testanything.org/tap-version-14-specification.html

export interface TapOutput {
  /** tap's summary line, or undefined when the process ended before it was printed. */
  readonly summary: TapSummary | undefined;
  /** One line a skipped test, at any depth: `name: reason`, or the reason alone when the whole file was skipped. */
  readonly skips: readonly string[];
  /** Names of tests that were skipped without saying why. */
  readonly unexplainedSkips: readonly string[];
}

export interface TapSummary {
  readonly passed: number;
  readonly failed: number;
  readonly unfinished: number;
}

export function parseTapOutput(text: string): TapOutput {
  let summary: TapSummary | undefined;
  const skips: string[] = [];
  const unexplainedSkips: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('# {')) summary = parseSummary(line) ?? summary;
    const wholeFile = /^1\.\.0 #\s*(?:SKIP\s+)?(\S.*)$/i.exec(line);
    if (wholeFile !== null) skips.push(wholeFile[1]!);
    const skip = /^ *ok \d+ - (.*?) # SKIP ?(.*)$/i.exec(line);
    if (skip !== null && skip[2] === '') unexplainedSkips.push(skip[1]!);
    else if (skip !== null) skips.push(`${skip[1]}: ${skip[2]}`);
  }
  return { summary, skips, unexplainedSkips };
}

/** The output without the top-level tests that passed: what somebody needs to read to mend the rest. */
export function failingParts(text: string): string {
  const kept: string[] = [];
  let pending: string[] = [];
  for (const line of text.split('\n')) {
    const isDiagnosticOfFailure = pending.length === 0 && kept.length > 0 && line.startsWith('  ');
    if (/^ok \d/.test(line)) pending = [];
    else if (isDiagnosticOfFailure) kept.push(line);
    else if (/^not ok \d/.test(line)) {
      kept.push(...pending, line);
      pending = [];
    } else pending.push(line);
  }
  // What follows the last finished test is where a crash or a hang happened.
  return [...kept, ...pending].join('\n').trim();
}

function parseSummary(line: string): TapSummary | undefined {
  if (!/^# \{ total: \d+/.test(line)) return undefined;
  const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), unfinished: count('todo') };
}
