// Events made by hand: the bench's program, compiled and loaded for one run of the bench.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPrograms } from '../../build/bpf-programs.ts';
import { BpfMap } from '../../native/bpf-map.ts';
import { BpfObject } from '../../native/bpf-object.ts';
import { testRun } from '../../native/bpf-program.ts';
import { describeErrno } from '../../native/errno.ts';

/** What one run of a program makes; see event-source.bpf.c. */
export const RECORDS_A_RUN = 64;

// Throws an Error that says what is missing.
export function compileEventSource(): Uint8Array {
  const out = mkdtempSync(join(tmpdir(), 'outrigger-bench-events-'));
  try {
    const btf = '/sys/kernel/btf/vmlinux';
    const built = buildPrograms({ programs: import.meta.dirname, out, btf }).get('event-source')!;
    return readFileSync(join(out, built.file));
  } finally {
    rmSync(out, { recursive: true });
  }
}

export class EventSource {
  readonly ringBytes: number;
  readonly #object: BpfObject;
  readonly #totals: BpfMap;

  // Of what `compileEventSource` made. Throws an Error with what the kernel says.
  constructor(bytes: Uint8Array, ringBytes: number) {
    const object = BpfObject.open(bytes, 'event_source');
    if (typeof object === 'number') throw new Error(`the source of events cannot be read: ${describeErrno(-object)}`);
    this.ringBytes = ringBytes;
    object.setAutoload('or_ev_sockops', false);
    object.setMaxEntries('events', ringBytes);
    const { errno, verifierLog } = object.load();
    if (errno !== 0) throw new Error(`the source of events cannot be loaded: ${describeErrno(errno)}\n${verifierLog}`);
    this.#object = object;
    this.#totals = new BpfMap(object.mapFd('.bss'), 4, TOTALS_BYTES);
  }

  programFd(kind: EventKind): number {
    return this.#object.programFd(PROGRAMS[kind]);
  }

  mapFd(kind: EventKind): number {
    return this.#object.mapFd(kind === 'ring' ? 'events' : 'copied');
  }

  get countersFd(): number {
    return this.#object.mapFd('counters');
  }

  // How many records were made, and how many of them there was no room for.
  totals(): { readonly made: number; readonly refused: number } {
    const value = new Uint8Array(TOTALS_BYTES);
    this.#totals.lookup(new Uint8Array(4), value);
    const view = new DataView(value.buffer);
    return { made: Number(view.getBigUint64(0, true)), refused: Number(view.getBigUint64(8, true)) };
  }

  close(): void {
    this.#object.close();
  }
}

export type EventKind = 'ring' | 'copied';

// Makes `runs` times RECORDS_A_RUN records, on the core of the caller. Throws when the kernel refuses.
export function makeEvents(programFd: number, runs: number): void {
  const outcome = testRun(programFd, { dataIn: PACKET, repeat: runs });
  if (typeof outcome === 'number') throw new Error(`a program cannot be run by hand: ${describeErrno(-outcome)}`);
}

const PROGRAMS = { ring: 'bench_ring', copied: 'bench_copied' } as const;
const TOTALS_BYTES = 16;
// Larger than an Ethernet header, which is taken off before the program sees it.
const PACKET = new Uint8Array(64);
