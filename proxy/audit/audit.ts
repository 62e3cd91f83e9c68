// `outrigger audit FILE`: who called whom, by exported spans, and whether that is proved.

import { parseArgs } from 'node:util';
import { type AuditedCall, auditSpans } from './trust-audit.ts';
import { readSpans } from './trust-spans.ts';

export const usage = `outrigger audit [--allow-plain] FILE

Reads spans of proxies (OTLP in JSON, as one document or one a line; - is the standard input), checks by trust.chain that
no span was changed, added or taken out, and that callers and callees name each other, and prints who called whom.

  --allow-plain   calls over plain connections, which prove nothing, do not count as broken

Exit code: 0 all is proved, 1 a link is broken, 2 the file or the command line cannot be used.
`;

export interface AuditOutcome {
  readonly code: 0 | 1 | 2;
  /** For the standard output, or with code 2 for the standard error. */
  readonly text: string;
}

/** `readFile` gives the text of a path. */
export function audit(args: readonly string[], readFile: (path: string) => string): AuditOutcome {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'allow-plain': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { code: 0, text: usage };
    const [path, ...more] = positionals;
    if (path === undefined || more.length > 0) return { code: 2, text: usage };
    return report(readFile(path), values['allow-plain']);
  } catch (error) {
    return { code: 2, text: `outrigger audit: ${(error as Error).message}\n` };
  }
}

function report(text: string, allowsPlain: boolean): AuditOutcome {
  const traces = auditSpans(readSpans(text));
  if (traces.length === 0) return { code: 1, text: 'no span says who called whom: there is no trust.transport\n' };
  const count = { proved: 0, plain: 0, broken: 0 };
  const lines: string[] = [];
  for (const { traceId, calls } of traces) {
    lines.push(`trace ${traceId}`);
    for (const call of calls) printCall(call, '  ', { lines, count });
  }
  lines.push(`${count.proved} proved, ${count.plain} plain, ${count.broken} broken`);
  const isBroken = count.broken > 0 || (count.plain > 0 && !allowsPlain);
  return { code: isBroken ? 1 : 0, text: `${lines.join('\n')}\n` };
}

interface Report {
  readonly lines: string[];
  readonly count: Record<AuditedCall['verdict'], number>;
}

function printCall({ span, verdict, findings, calls }: AuditedCall, indent: string, report: Report): void {
  const own = span.ownId || span.service || 'somebody';
  const peer = span.peerId || 'somebody';
  const [caller, callee] = span.kind === 'client' ? [own, peer] : [peer, own];
  report.count[verdict]++;
  report.lines.push(printable(`${indent}${caller} called ${callee}: ${span.name} (span ${span.spanId}) ${verdict}`));
  for (const finding of findings) report.lines.push(printable(`${indent}  ! ${finding}`));
  for (const call of calls) printCall(call, `${indent}    `, report);
}

/** Names come from requests: nothing in them may steer a terminal. */
function printable(line: string): string {
  return line.replaceAll(/\p{C}/gu, '?');
}
