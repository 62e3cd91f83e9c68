// The lists of a plan as maps that are filled before any program sees them: programs that take the places of others must
// not look into an empty list for a moment, which would capture the proxy's own connections.

import { BpfMap, createMap, MapFlag, MapType } from '../../native/bpf-map.ts';
import { close } from '../../native/socket.ts';
import { isFailure, type LoadFailure, systemFailure } from '../loader/load-failure.ts';
import type { ObjectName } from '../loader/object-files.ts';
import { LAYOUTS } from '../loader/object-layouts.ts';
import type { MapPlan } from './capture-plan.ts';

/** Those that have entries, by name; the descriptors are the caller's. A failure leaves none open. */
export function fillListMaps(
  object: ObjectName,
  plans: readonly MapPlan[],
): Readonly<Record<string, number>> | LoadFailure {
  const filled: Record<string, number> = {};
  // The object makes those that stay empty by itself.
  for (const plan of plans.filter(({ entries }) => entries.length > 0)) {
    const fd = fillMap(object, plan);
    if (isFailure(fd)) {
      closeMaps(filled);
      return fd;
    }
    filled[plan.name] = fd;
  }
  return filled;
}

export function closeMaps(maps: Readonly<Record<string, number>>): void {
  for (const fd of Object.values(maps)) close(fd);
}

function fillMap(object: ObjectName, { name, entries }: MapPlan): number | LoadFailure {
  const shape = LAYOUTS[object].maps.find((map) => map.name === name);
  if (shape === undefined) return { reason: `object ${object} has no map ${name}` };
  // The kernel has no prefix tables but those that grow as they are filled.
  const flags = shape.type === MapType.lpmTrie ? MapFlag.noPreallocation : 0;
  const fd = createMap({ ...shape, flags });
  if (fd < 0) return systemFailure(`make map ${name}`, fd);
  const map = new BpfMap(fd, shape.keyBytes, shape.valueBytes);
  for (const { key, value } of entries) {
    const written = map.update(key, value);
    if (written >= 0) continue;
    close(fd);
    return systemFailure(`write an entry of map ${name}`, written);
  }
  return fd;
}
