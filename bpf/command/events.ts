// `outrigger bpf events`: connections of a cgroup as they open and close, until it is told to end.

import { closeSync, openSync } from 'node:fs';
import { openEvents } from '../events/events.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { type EventFields, eventFields } from './event-text.ts';
import { failed, type Outcome } from './outcome.ts';

export interface EventsCommand {
  readonly files: ObjectFiles;
  readonly cgroup: string;
  /** Ends after so many. */
  readonly count: number;
  readonly onEvent: (fields: EventFields) => void;
  /** Resolves when it is to end. */
  readonly until: Promise<unknown>;
}

export async function events({ files, cgroup, count, onEvent, until }: EventsCommand): Promise<Outcome> {
  const fd = openCgroup(cgroup);
  if (isFailure(fd)) return failed(fd);
  let seen = 0;
  let lost = 0;
  let isEnough: () => void = () => {};
  const enough = new Promise<void>((resolve) => {
    isEnough = resolve;
  });
  const opened = openEvents({
    files,
    cgroups: [{ kind: 'cgroup', fd, name: cgroup }],
    onEvent: (event) => {
      if (seen >= count) return;
      onEvent(eventFields(event));
      if (++seen === count) isEnough();
    },
    onLost: (more) => {
      lost += more;
    },
    // Keeps this process alive, which has nothing else to do.
    schedule: (delayMs, callback) => setTimeout(callback, delayMs),
  });
  closeSync(fd);
  if (isFailure(opened)) return failed(opened);
  await Promise.race([enough, until]);
  opened.close();
  const loss = lost === 0 ? '' : `${lost} events found no room and are not among them\n`;
  return { text: loss, data: { events: seen, lost }, exitCode: 0 };
}

function openCgroup(cgroup: string): number | LoadFailure {
  try {
    return openSync(cgroup, 'r');
  } catch (error) {
    const reason = `cannot open the cgroup ${cgroup}: ${(error as NodeJS.ErrnoException).code}`;
    return { reason, wayOut: 'name a folder below the mount of cgroup2' };
  }
}
