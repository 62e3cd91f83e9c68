// Who captures: eBPF where this machine can, else iptables, else nobody. Each step that is not taken says why in one line.

import { failureText, isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { ObjectFiles } from '../loader/object-files.ts';
import type { PinFolder } from '../loader/pin-folder.ts';
import { hopefulProbes, kernelProbes, type Probes } from '../loader/probes.ts';
import type { CaptureTargets } from './capture-targets.ts';
import { openEbpfCapture } from './ebpf-capture.ts';
import { missingFeature } from './ebpf-needs.ts';
import type { NamedDescriptor } from './held-capture.ts';
import { openIptablesCapture } from './iptables-capture.ts';
import type { RunProgram } from './iptables-program.ts';
import type { CaptureSettings } from './settings.ts';

export interface CaptureOptions {
  /** `auto` takes the first way that is there; any other takes that one or fails. */
  readonly mode: 'auto' | 'ebpf' | 'iptables' | 'none';
  readonly settings: CaptureSettings;
  readonly targets: CaptureTargets;
  /** Where eBPF stays when this process goes; null: nowhere. */
  readonly pins: PinFolder | null;
  /** From the process before this one; stay the caller's. */
  readonly inherited?: readonly NamedDescriptor[];
  /** What follows is of this machine when absent; a test gives its own. */
  readonly probes?: Probes;
  readonly files?: ObjectFiles;
  readonly run?: RunProgram;
}

/** Connections since the programs were loaded, by what became of them. */
export interface CaptureCounters {
  /** `outbound`, `inbound`. */
  readonly group: string;
  /** By their names in the programs, in lower case. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface Capture {
  readonly kind: 'ebpf' | 'iptables' | 'none';
  /** One line for each way that was not taken, and for what there is to know of this one. */
  readonly explain: readonly string[];
  /**
   * Inbound connections of the family go to this listening socket, and to those that share its port, until it is closed.
   * The descriptor stays the caller's. Of no effect where the port alone decides.
   */
  setListener(family: 4 | 6, fd: number): LoadFailure | undefined;
  counters(): readonly CaptureCounters[];
  /** For a process after this one, which gives them as `inherited`; they stay this one's. */
  descriptors(): readonly NamedDescriptor[];
  /** `stay` leaves what can outlive this process; `detach` takes away what was put in place. */
  release(outcome: 'detach' | 'stay'): LoadFailure | undefined;
}

/** A failure says why the way that was asked for is not there; `auto` has none, and captures nothing when there is no way. */
export function openCapture(options: CaptureOptions): Capture | LoadFailure {
  const { mode } = options;
  if (mode === 'ebpf') return openByEbpf(options);
  if (mode === 'iptables') return openByIptables(options, []);
  if (mode === 'none') return captureOfNone([]);
  const ebpf = openByEbpf(options);
  if (!isFailure(ebpf)) return ebpf;
  const explain = [`eBPF does not capture: ${failureText(ebpf)}`];
  const iptables = openByIptables(options, explain);
  if (!isFailure(iptables)) return iptables;
  return captureOfNone([...explain, `iptables does not capture: ${failureText(iptables)}`]);
}

/** To ask a kernel what it can takes as long as to load what it is asked for: it is asked when it has refused something. */
function openByEbpf(options: CaptureOptions): Capture | LoadFailure {
  if (options.probes !== undefined) return openWith(options, options.probes);
  const probes = kernelProbes();
  const opened = openWith(options, hopefulProbes(probes));
  return isFailure(opened) ? openWith(options, probes) : opened;
}

function openWith(options: CaptureOptions, probes: Probes): Capture | LoadFailure {
  const { settings, targets, pins, inherited = [] } = options;
  const missing = missingFeature(settings, targets, probes);
  if (missing !== undefined) return missing;
  const files = options.files ?? ObjectFiles.open();
  if (isFailure(files)) return files;
  const capture = openEbpfCapture({ settings, targets, pins, inherited, files, probes });
  if (isFailure(capture)) return capture;
  const ends = 'the policy is closed, but connections pass by the proxy when this process is killed: nothing is pinned';
  return {
    kind: 'ebpf',
    explain: settings.policy === 'closed' && pins === null ? [ends] : [],
    setListener: (family, fd) => capture.setListener(family, fd),
    counters: () => capture.counters(),
    descriptors: () => capture.descriptors(),
    release: (outcome) => capture.release(outcome),
  };
}

function openByIptables(options: CaptureOptions, explain: readonly string[]): Capture | LoadFailure {
  const { settings, targets, run } = options;
  const capture = openIptablesCapture({ settings, netnsFd: targets.netnsFd ?? undefined, ...(run && { run }) });
  if (isFailure(capture)) return capture;
  const stays =
    'the policy is open, but rules of iptables stay when this process is killed: connections are refused then';
  return {
    kind: 'iptables',
    explain: settings.policy === 'open' ? [...explain, stays] : explain,
    setListener: () => undefined,
    counters: () => capture.counters(),
    descriptors: () => [],
    release: (outcome) => capture.release(outcome),
  };
}

function captureOfNone(explain: readonly string[]): Capture {
  return {
    kind: 'none',
    explain,
    setListener: () => undefined,
    counters: () => [],
    descriptors: () => [],
    release: () => undefined,
  };
}
