// Redirection, short-circuit and events: what they cost and bring, against rules of iptables, TCP and copying. Needs root.
import { join } from 'node:path';
import { ensureCompiler, ensureObjects } from '../load/bpf-objects.ts';
import { ensureWrk } from '../load/wrk.ts';
import { describeMachine } from '../measure/machine.ts';
import { ensureDebianPackages } from '../peers/debian-packages.ts';
import type { BpfReport } from '../report/bpf-report.ts';
import { BPF_TITLE, renderBpfResults } from '../report/bpf-results.ts';
import { writePart } from '../report/results-file.ts';
import { measureCapture, type RoundOptions } from './bpf-capture.ts';
import { measureEvents } from './bpf-events.ts';
import { measureLoading } from './bpf-loading.ts';
import { measureShortcut } from './bpf-shortcut.ts';

const RESULTS = join(import.meta.dirname, '..', 'RESULTS.md');

export const BPF_PARTS = ['loading', 'events', 'capture', 'shortcut'] as const;
export type BpfPart = (typeof BPF_PARTS)[number];

export type BpfOptions = RoundOptions & { readonly parts: readonly BpfPart[]; readonly write: boolean };

// Prints the report; writes its part of RESULTS.md when asked. Rejects when a request failed.
export async function runBpf(options: BpfOptions): Promise<void> {
  const has = (part: BpfPart): boolean => options.parts.includes(part);
  ensureNeeds(has);
  const report: BpfReport = {
    machine: describeMachine(),
    ...(has('loading') && { loading: await measureLoading() }),
    ...(has('events') && { events: await measureEvents(options.rounds) }),
    ...(has('capture') && { capture: await measureCapture(options) }),
    ...(has('shortcut') && { shortcut: await measureShortcut(options) }),
  };
  const text = renderBpfResults(report);
  console.log(`\n${text}`);
  if (options.write) writePart(RESULTS, BPF_TITLE, text);
}

// Before anything is measured, so that a part does not fail after the minutes of another.
function ensureNeeds(has: (part: BpfPart) => boolean): void {
  if (process.geteuid!() !== 0) throw new Error('bench bpf loads programs into the kernel: run it as root');
  ensureObjects();
  if (has('events')) ensureCompiler();
  if (has('capture')) ensureDebianPackages([{ name: 'iptables', provides: '/usr/sbin/iptables' }]);
  if (has('capture') || has('shortcut')) ensureWrk();
}
