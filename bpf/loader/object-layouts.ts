// The tables of bpf/generated/, by the object's name.

import type { ObjectName } from './object-files.ts';
import type { ObjectLayout } from './object-layout.ts';

export const LAYOUTS: ReadonlyMap<ObjectName, ObjectLayout> = new Map();
