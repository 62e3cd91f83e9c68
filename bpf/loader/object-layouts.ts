// The tables of bpf/generated/, by the object's name.

import { events } from '../generated/events.ts';
import { inbound } from '../generated/inbound.ts';
import { outbound } from '../generated/outbound.ts';
import { shortcut } from '../generated/shortcut.ts';
import type { ObjectName } from './object-files.ts';
import type { ObjectLayout } from './object-layout.ts';

export const LAYOUTS: Readonly<Record<ObjectName, ObjectLayout>> = { outbound, inbound, shortcut, events };
