// What a folder of pins says of itself: the names of what was pinned, and the settings that it was made by. Kept as JSON in
// an array map with one entry, which is what bpffs can hold.

import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { mapInfo } from '../../native/bpf-info.ts';
import { openPinned, pin } from '../../native/bpf-link.ts';
import { BpfMap, createMap, MapType } from '../../native/bpf-map.ts';
import { close } from '../../native/socket.ts';
import { attemptOnFiles } from './file-attempt.ts';
import { isFailure, type LoadFailure, systemFailure } from './load-failure.ts';
import { isPinName } from './pinned-entries.ts';

export interface PinnedSettings {
  readonly links: readonly string[];
  readonly maps: readonly string[];
  readonly settings: unknown;
}

/** Writes them into `folder`, in place of those that are there. */
export function pinSettings(folder: string, content: PinnedSettings): LoadFailure | undefined {
  const text = Buffer.from(JSON.stringify(content));
  if (text.length > MAX_BYTES - LENGTH_BYTES) return { reason: `settings of ${text.length} bytes cannot be pinned` };
  const value = Buffer.alloc(LENGTH_BYTES + Math.ceil(text.length / 8) * 8);
  value.writeUInt32LE(text.length);
  text.copy(value, LENGTH_BYTES);
  const fd = createMap({
    type: MapType.array,
    keyBytes: KEY.length,
    valueBytes: value.length,
    maxEntries: 1,
    flags: 0,
    name: 'or_settings',
  });
  if (fd < 0) return systemFailure('make a map for settings', fd);
  const failure = fillAndPin(fd, value, folder);
  close(fd);
  return failure;
}

/** A failure when there are none, or when another program's map is in their place. */
export function openSettings(folder: string): PinnedSettings | LoadFailure {
  const path = join(folder, FILE);
  const fd = openPinned(path);
  if (fd < 0) return systemFailure(`open ${path}`, fd);
  const value = readOnly(fd, path);
  close(fd);
  return isFailure(value) ? value : parse(value, path);
}

export const SETTINGS_FILE = 'settings';

const FILE = SETTINGS_FILE;
const KEY = new Uint8Array(4);
const LENGTH_BYTES = 8;
const MAX_BYTES = 1 << 20;

function fillAndPin(fd: number, value: Uint8Array, folder: string): LoadFailure | undefined {
  const written = new BpfMap(fd, KEY.length, value.length).update(KEY, value);
  if (written < 0) return systemFailure('write settings into their map', written);
  const path = join(folder, FILE);
  // Renamed into place: whoever reads sees the old ones or the new ones.
  const beside = `${path}_new`;
  const pinned = pin(fd, beside);
  if (pinned < 0) return systemFailure(`pin ${beside}`, pinned);
  return attemptOnFiles(`rename ${beside}`, () => renameSync(beside, path));
}

function readOnly(fd: number, path: string): Buffer | LoadFailure {
  const info = mapInfo(fd);
  if (typeof info === 'number') return systemFailure(`read ${path}`, info);
  const isOurs = info.type === MapType.array && info.keyBytes === KEY.length && info.maxEntries === 1;
  if (!isOurs || info.valueBytes <= LENGTH_BYTES || info.valueBytes > MAX_BYTES) return notOurs(path);
  const value = Buffer.alloc(info.valueBytes);
  const read = new BpfMap(fd, KEY.length, value.length).lookup(KEY, value);
  return read < 0 ? systemFailure(`read ${path}`, read) : value;
}

function parse(value: Buffer, path: string): PinnedSettings | LoadFailure {
  const length = value.readUInt32LE();
  if (length > value.length - LENGTH_BYTES) return notOurs(path);
  let tree: unknown;
  try {
    tree = JSON.parse(value.toString('utf8', LENGTH_BYTES, LENGTH_BYTES + length));
  } catch {
    return notOurs(path);
  }
  return isSettings(tree) ? tree : notOurs(path);
}

function isSettings(tree: unknown): tree is PinnedSettings {
  if (typeof tree !== 'object' || tree === null || !('settings' in tree)) return false;
  const { links, maps } = tree as Partial<PinnedSettings>;
  return areNames(links) && areNames(maps);
}

/** They become paths. */
function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && isPinName(name));
}

function notOurs(path: string): LoadFailure {
  return { reason: `${path} was not written by Outrigger` };
}
