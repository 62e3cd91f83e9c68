// What `bench -- bpf` measured in one run, for the tables and for the goals.
import type { Slot } from '../measure/measured-load.ts';
import type { CaptureResult } from '../suite/bpf-capture.ts';
import type { EventsResult } from '../suite/bpf-events.ts';
import type { LoadingResult } from '../suite/bpf-loading.ts';
import type { ShortcutResult } from '../suite/bpf-shortcut.ts';

// Undefined: that part was not asked for.
export type BpfReport = {
  readonly machine: readonly string[];
  readonly capture?: CaptureResult;
  readonly shortcut?: ShortcutResult;
  readonly events?: EventsResult;
  readonly loading?: LoadingResult;
};

/** Requests a second. */
export function rateOf({ requests, seconds }: Slot): number {
  return requests / seconds;
}
