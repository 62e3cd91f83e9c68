// `outrigger bpf events`: connections of a cgroup as they open and close, until it is told to end.

import { closeSync, openSync } from 'node:fs';
import { closeHeld, type HeldCapture, heldMapName, nothingHeld } from '../capture/held-capture.ts';
import { openEvents } from '../events/events.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { PinFolder, type PinFolderOptions } from '../loader/pin-folder.ts';
import { type EventFields, eventFields } from './event-text.ts';
import { failed, type Outcome } from './outcome.ts';

export interface EventsCommand {
  readonly files: ObjectFiles;
  readonly cgroup: string;
  /** One that is pinned: events of its connections say where they were going before. */
  readonly redirection?: PinFolderOptions | undefined;
  /** Ends after so many. */
  readonly count: number;
  /** As in `openEvents`. */
  readonly ringBytes?: number;
  readonly onEvent: (fields: EventFields) => void;
  /** Resolves when it is to end. */
  readonly until: Promise<unknown>;
}

export async function events({ redirection, ...command }: EventsCommand): Promise<Outcome> {
  const held = redirection === undefined ? nothingHeld : openHeld(redirection);
  if (isFailure(held)) return failed(held);
  try {
    return await follow(command, held.maps.get(heldMapName('outbound', 'sk_orig')));
  } finally {
    closeHeld(held);
  }
}

type Followed = Omit<EventsCommand, 'redirection'>;

async function follow(
  { files, cgroup, count, ringBytes, onEvent, until }: Followed,
  originalsFd: number | undefined,
): Promise<Outcome> {
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
    ...(originalsFd !== undefined && { originalsFd }),
    ...(ringBytes !== undefined && { ringBytes }),
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

/** Its maps and links; the descriptors are the caller's. */
function openHeld(redirection: PinFolderOptions): HeldCapture | LoadFailure {
  const pins = PinFolder.at(redirection);
  if (isFailure(pins)) return pins;
  if (pins.exists()) return pins.read();
  return {
    reason: `there is no redirection ${redirection.name}`,
    wayOut: '`outrigger bpf status` lists those that are',
  };
}

function openCgroup(cgroup: string): number | LoadFailure {
  try {
    return openSync(cgroup, 'r');
  } catch (error) {
    const reason = `cannot open the cgroup ${cgroup}: ${(error as NodeJS.ErrnoException).code}`;
    return { reason, wayOut: 'name a folder below the mount of cgroup2' };
  }
}
