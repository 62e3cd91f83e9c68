// A capture that is in place already: links and maps that a process before this one pinned, or hands over. Its programs are
// replaced one by one, so that no connection goes uncaptured in between.

import { linkInfo } from '../../native/bpf-info.ts';
import { close, duplicate } from '../../native/socket.ts';
import { Attachment } from '../loader/attachment.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { PinFolder } from '../loader/pin-folder.ts';
import type { TargetPlace } from './capture-targets.ts';
import { LASTING_MAPS, type ProgramPlace } from './program-places.ts';

export interface NamedDescriptor {
  readonly name: string;
  readonly fd: number;
}

/** Descriptors by name: of programs' links, and of maps as `<object>_<map>`. They are the holder's. */
export interface HeldCapture {
  readonly links: ReadonlyMap<string, number>;
  readonly maps: ReadonlyMap<string, number>;
}

export const nothingHeld: HeldCapture = { links: new Map(), maps: new Map() };

const LINK = 'capture-link:';
const MAP = 'capture-map:';

/** As one process names them to the next. */
export function describeHeld({ links, maps }: HeldCapture): readonly NamedDescriptor[] {
  return [
    ...[...links].map(([name, fd]) => ({ name: `${LINK}${name}`, fd })),
    ...[...maps].map(([name, fd]) => ({ name: `${MAP}${name}`, fd })),
  ];
}

/** What of it was inherited from a process before, or pinned; what else was inherited is passed over. Owns what it returns. */
export function findHeld(inherited: readonly NamedDescriptor[], pins: PinFolder | null): HeldCapture | LoadFailure {
  const named = (prefix: string) =>
    inherited
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, fd }) => [name.slice(prefix.length), duplicate(fd)] as const);
  const links = new Map(named(LINK));
  if (links.size > 0) return { links, maps: new Map(named(MAP)) };
  if (pins === null || !pins.exists()) return nothingHeld;
  const pinned = pins.read();
  return isFailure(pinned) ? pinned : { links: pinned.links, maps: pinned.maps };
}

export function closeHeld({ links, maps }: HeldCapture): void {
  for (const fd of [...links.values(), ...maps.values()]) close(fd);
}

/** Maps of one object, by their names in C. */
export function heldMaps(held: HeldCapture, object: ProgramPlace['object']): Readonly<Record<string, number>> {
  return Object.fromEntries(
    LASTING_MAPS[object].flatMap((map) => {
      const fd = held.maps.get(heldMapName(object, map));
      return fd === undefined ? [] : [[map, fd]];
    }),
  );
}

export function heldMapName(object: ProgramPlace['object'], map: string): string {
  return `${object}_${map}`;
}

/**
 * The attachment of a link that is at its place: the cgroup or the namespace with that number. Undefined for one that is
 * elsewhere, such as at the cgroup of a container that was replaced. The attachment has a descriptor of its own.
 */
export function attachmentOf(fd: number, { attachType }: ProgramPlace, at: TargetPlace): Attachment | undefined {
  const info = linkInfo(fd);
  if (typeof info === 'number') return undefined;
  const isThere = at.kind === 'cgroup' ? info.cgroupId === at.number : info.netnsInode === Number(at.number);
  return isThere ? new Attachment({ kind: 'link', fd: duplicate(fd) }, at.name, attachType) : undefined;
}
