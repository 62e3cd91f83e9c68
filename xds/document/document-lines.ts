// In which line of a file something stands. Looked up for problems only: the events of the parser, which have offsets,
// are read once more when there is something to complain about, and reading a right file costs nothing.

import { EVENT_ID, type Event, getScalarValue, parseEvents } from 'js-yaml';
import { splitPath } from './written-path.ts';

/**
 * The line, from 1, of what `path` (`a.b[0]["key"]`) names in document `index` of `text`, which is YAML or JSON that can
 * be parsed. Of something that is not there, the line of the innermost part around it that is.
 */
export function lineOf(text: string, index: number, path: string): number {
  const events = parseEvents(text, {});
  let at = -1;
  for (let documents = -1; documents < index; ) if (events[++at]!.type === EVENT_ID.DOCUMENT) documents++;
  let found = startOf(events[at + 1]!);
  at++;
  for (const step of splitPath(path)) {
    const child = childOf(events, at, { step, text });
    if (child === undefined) break;
    at = child.value;
    found = child.start;
  }
  return text.slice(0, found).split('\n').length;
}

interface Child {
  /** Offset in the text where a person sees it begin: its key, or the element. */
  readonly start: number;
  /** Position among the events. */
  readonly value: number;
}

function childOf(
  events: readonly Event[],
  parent: number,
  { step, text }: { readonly step: string | number; readonly text: string },
): Child | undefined {
  const { type } = events[parent]!;
  if (type !== EVENT_ID.MAPPING && type !== EVENT_ID.SEQUENCE) return undefined;
  let position = 0;
  for (let at = parent + 1; events[at]!.type !== EVENT_ID.POP; position++) {
    const value = type === EVENT_ID.MAPPING ? endOf(events, at) : at;
    const key = events[at]!;
    const isMeant =
      type === EVENT_ID.SEQUENCE
        ? position === step
        : key.type === EVENT_ID.SCALAR && getScalarValue(text, key) === String(step);
    if (isMeant) return { start: startOf(key), value };
    at = endOf(events, value);
  }
  return undefined;
}

/** The position behind the node that begins at `at`. */
function endOf(events: readonly Event[], at: number): number {
  let depth = 0;
  let next = at;
  do {
    const { type } = events[next++]!;
    if (type === EVENT_ID.MAPPING || type === EVENT_ID.SEQUENCE) depth++;
    else if (type === EVENT_ID.POP) depth--;
  } while (depth > 0);
  return next;
}

function startOf(event: Event): number {
  switch (event.type) {
    case EVENT_ID.SCALAR:
      return event.valueStart;
    case EVENT_ID.MAPPING:
    case EVENT_ID.SEQUENCE:
      return event.start;
    case EVENT_ID.ALIAS:
      return event.anchorStart;
    default:
      return 0;
  }
}
