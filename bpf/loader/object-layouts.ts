// The tables of bpf/generated/, by the object's name.

import { EventsCounter, events } from '../generated/events.ts';
import { InboundCounter, inbound } from '../generated/inbound.ts';
import { OutboundCounter, outbound } from '../generated/outbound.ts';
import { ShortcutCounter, shortcut } from '../generated/shortcut.ts';
import type { ObjectName } from './object-files.ts';
import type { ObjectLayout } from './object-layout.ts';

export const LAYOUTS: Readonly<Record<ObjectName, ObjectLayout>> = { outbound, inbound, shortcut, events };

/** Enums of the maps named `counters`. */
export const COUNTER_NAMES: Readonly<Record<ObjectName, Readonly<Record<string, number>>>> = {
  outbound: OutboundCounter,
  inbound: InboundCounter,
  shortcut: ShortcutCounter,
  events: EventsCounter,
};
