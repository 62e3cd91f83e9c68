// Hot swap: newly loaded programs take the places of those that run, with the maps that are there, so that original
// destinations, listeners and lists stay and no connection is missed. Each link changes at once (BPF_LINK_UPDATE); while
// some have changed and some not, old and new programs work on the same maps, which is why a map of another shape is refused
// before anything is touched.

import { linkInfo, programById } from '../../native/bpf-info.ts';
import { close, duplicate } from '../../native/socket.ts';
import type { Attachment } from './attachment.ts';
import { isFailure, type LoadFailure } from './load-failure.ts';
import { type LoadedObject, type LoadOptions, loadObject } from './loaded-object.ts';
import { reuseProblem } from './map-shape.ts';
import type { ObjectFiles, ObjectName } from './object-files.ts';
import { LAYOUTS } from './object-layouts.ts';

export interface Swap {
  readonly files: ObjectFiles;
  readonly name: ObjectName;
  readonly load: Omit<LoadOptions, 'reuse'>;
  /** The maps that are in use, by name; their descriptors stay the caller's. Maps of the object that are not named are new. */
  readonly maps: Readonly<Record<string, number>>;
  /** By the name of the program. */
  readonly attachments: ReadonlyMap<string, Attachment>;
  /**
   * Maps that are made anew, and empty, when their shape has changed: such as counters, of which a version may have more.
   * Any other change of shape is refused.
   */
  readonly renewable?: readonly string[] | undefined;
  /** What runs now, when this process loaded it. Without it, going back takes CAP_SYS_ADMIN. */
  readonly previous?: LoadedObject | undefined;
}

/**
 * The newly loaded object, in place at every attachment; or a failure, with the old programs in place. Programs that are new
 * in this version are attached by the caller.
 */
export function swapPrograms(swap: Swap): LoadedObject | LoadFailure {
  const reuse = reusableMaps(swap);
  if (isFailure(reuse)) return reuse;
  const loaded = loadObject(swap.files, swap.name, { ...swap.load, reuse });
  if (isFailure(loaded)) return loaded;
  const failure = withoutProgram(swap, loaded) ?? replaceAll(swap, loaded);
  if (failure === undefined) return loaded;
  loaded.close();
  return failure;
}

function reusableMaps({ name, maps, renewable, load }: Swap): Readonly<Record<string, number>> | LoadFailure {
  const reuse: Record<string, number> = {};
  for (const layout of LAYOUTS[name].maps) {
    const fd = maps[layout.name];
    if (fd === undefined) continue;
    const maxEntries = load.maxEntries?.[layout.name] ?? layout.maxEntries;
    const problem = reuseProblem(layout.name, { ...layout, maxEntries }, fd);
    if (problem === undefined) reuse[layout.name] = fd;
    else if (renewable?.includes(layout.name) !== true) return problem;
  }
  return reuse;
}

function withoutProgram({ attachments, name }: Swap, loaded: LoadedObject): LoadFailure | undefined {
  const missing = [...attachments.keys()].find((program) => loaded.programFd(program) < 0);
  if (missing === undefined) return undefined;
  return {
    reason: `cannot swap ${name}: ${missing} is attached, and the new object has no such program or leaves it out`,
    wayOut: 'unload what is there, then load anew',
  };
}

interface Replaced {
  readonly program: string;
  readonly attachment: Attachment;
  /** Descriptor of what ran before; negative when it cannot be had. */
  readonly before: number;
}

function replaceAll({ attachments, previous }: Swap, loaded: LoadedObject): LoadFailure | undefined {
  const places = [...attachments].map(([program, attachment]) => ({
    program,
    attachment,
    before: runningProgram(program, attachment, previous),
  }));
  const done: Replaced[] = [];
  let failure: LoadFailure | undefined;
  for (const place of places) {
    failure = place.attachment.update(loaded.programFd(place.program));
    if (failure !== undefined) break;
    done.push(place);
  }
  if (failure !== undefined) failure = goBack(done, failure);
  for (const { before } of places) if (before >= 0) close(before);
  return failure;
}

/** A descriptor of our own. */
function runningProgram(program: string, attachment: Attachment, previous: LoadedObject | undefined): number {
  if (previous !== undefined) return duplicate(previous.programFd(program));
  if (attachment.linkFd === undefined) return -1;
  const info = linkInfo(attachment.linkFd);
  return typeof info === 'number' ? info : programById(info.programId);
}

function goBack(done: readonly Replaced[], failure: LoadFailure): LoadFailure {
  const stuck = done.filter(({ attachment, before }) => before < 0 || attachment.update(before) !== undefined);
  if (stuck.length === 0) return { ...failure, reason: `${failure.reason}; the programs from before run on` };
  const names = stuck.map(({ program }) => program).join(', ');
  return {
    reason: `${failure.reason}; ${names} could not be put back, so old and new programs run beside each other`,
    wayOut: 'swap again, or unload and load',
  };
}
