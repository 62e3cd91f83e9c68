// Whether a program that runs is the one of the objects beside us. The kernel hashes the instructions it was given, before it
// changes any and without constants and addresses of maps: the same object gives the same tag, whatever it was loaded with. So
// the objects, whose hashes are checked, are loaded once and their tags compared.

import { programInfo } from '../../native/bpf-info.ts';
import { isFailure, type LoadFailure } from './load-failure.ts';
import { loadObject } from './loaded-object.ts';
import type { ObjectFiles, ObjectName } from './object-files.ts';
import { LAYOUTS } from './object-layouts.ts';

export interface ReleasedProgram {
  readonly object: ObjectName;
  readonly tag: string;
  /** Of the object's file. */
  readonly sha256: string;
}

/** By the program's name. Nothing stays loaded. */
export function releasedPrograms(files: ObjectFiles): ReadonlyMap<string, ReleasedProgram> | LoadFailure {
  const released = new Map<string, ReleasedProgram>();
  for (const object of Object.keys(LAYOUTS) as ObjectName[]) {
    const loaded = loadObject(files, object, { constants: {} });
    if (isFailure(loaded)) return loaded;
    const { sha256 } = files.manifest.objects.get(object)!;
    for (const { name } of LAYOUTS[object].programs) {
      const info = programInfo(loaded.programFd(name));
      if (typeof info !== 'number') released.set(name, { object, tag: info.tag, sha256 });
    }
    loaded.close();
  }
  return released;
}
