// Makes events at an even rate on its own core: the program of the bench, opened by its id. Prints how long it took.
// Run: node bench/events/emitter.ts '{"programId":12,"perSecond":200000,"seconds":2}'
import { programById } from '../../native/bpf-info.ts';
import { makeEvents, RECORDS_A_RUN } from './event-source.ts';

export type EmitterOptions = { readonly programId: number; readonly perSecond: number; readonly seconds: number };
export type EmitterOutcome = { readonly seconds: number };

const PAUSE_MS = 1;

function emit({ programId, perSecond, seconds }: EmitterOptions): EmitterOutcome {
  const programFd = programById(programId);
  if (programFd < 0) throw new Error(`there is no program ${programId}`);
  const sleeping = new Int32Array(new SharedArrayBuffer(4));
  const startedAt = performance.now();
  const wantedRuns = Math.ceil((perSecond * seconds) / RECORDS_A_RUN);
  let done = 0;
  while (done < wantedRuns) {
    const elapsedSeconds = (performance.now() - startedAt) / 1000;
    const due = Math.min(wantedRuns, Math.ceil((elapsedSeconds * perSecond) / RECORDS_A_RUN));
    if (due > done) makeEvents(programFd, due - done);
    done = due;
    Atomics.wait(sleeping, 0, 0, PAUSE_MS);
  }
  return { seconds: (performance.now() - startedAt) / 1000 };
}

console.log(JSON.stringify(emit(JSON.parse(process.argv[2]!) as EmitterOptions)));
