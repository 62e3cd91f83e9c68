// In which line of a file something stands. Looked up for problems only: the events of the parser, which have offsets,
// are read once more when there is something to complain about, or a place is to be named.

import { EVENT_ID, type Event, getScalarValue, parseEvents } from 'js-yaml';
import { splitPath } from './written-path.ts';

/** The line of one path; who asks for many of one text makes `DocumentLines` of it. */
export function lineOf(text: string, index: number, path: string): number {
  return new DocumentLines(text).lineOf(index, path);
}

/** A text that is YAML or JSON and can be parsed. It is parsed once, and of each list the elements are found once. */
export class DocumentLines {
  readonly #text: string;
  /** Read with the first question. */
  #events: readonly Event[] = [];
  /** Positions of the documents among the events. */
  #documents: readonly number[] = [];
  #lineStarts: readonly number[] = [];
  readonly #children = new Map<number, ReadonlyMap<string | number, Child>>();

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * The line, from 1, of what `path` (`a.b[0]["key"]`) names in document `index`. Of something that is not there, the line of
   * the innermost part around it that is.
   */
  lineOf(index: number, path: string): number {
    if (this.#events.length === 0) this.#read();
    let at = this.#documents[index]! + 1;
    let found = startOf(this.#events[at]!);
    for (const step of splitPath(path)) {
      const child = this.#childrenOf(at).get(step) ?? this.#childrenOf(at).get(String(step));
      if (child === undefined) break;
      at = child.value;
      found = child.start;
    }
    return this.#lineAt(found);
  }

  #read(): void {
    this.#events = parseEvents(this.#text, {});
    this.#documents = [...this.#events.keys()].filter((at) => this.#events[at]!.type === EVENT_ID.DOCUMENT);
    const starts = [0];
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n', end + 1)) starts.push(end + 1);
    this.#lineStarts = starts;
  }

  #lineAt(offset: number): number {
    let [least, above] = [0, this.#lineStarts.length];
    while (above - least > 1) {
      const middle = (least + above) >> 1;
      if (this.#lineStarts[middle]! <= offset) least = middle;
      else above = middle;
    }
    return least + 1;
  }

  #childrenOf(parent: number): ReadonlyMap<string | number, Child> {
    const children = this.#children.get(parent) ?? childrenOf(this.#events, parent, this.#text);
    this.#children.set(parent, children);
    return children;
  }
}

interface Child {
  /** Offset in the text where a person sees it begin: its key, or the element. */
  readonly start: number;
  /** Position among the events. */
  readonly value: number;
}

/** By key, or by position in a sequence. */
function childrenOf(events: readonly Event[], parent: number, text: string): ReadonlyMap<string | number, Child> {
  const children = new Map<string | number, Child>();
  const { type } = events[parent]!;
  if (type !== EVENT_ID.MAPPING && type !== EVENT_ID.SEQUENCE) return children;
  for (let at = parent + 1; events[at]!.type !== EVENT_ID.POP; ) {
    const first = events[at]!;
    const value = type === EVENT_ID.MAPPING ? endOf(events, at) : at;
    if (type === EVENT_ID.SEQUENCE) children.set(children.size, { start: startOf(first), value });
    else if (first.type === EVENT_ID.SCALAR)
      children.set(getScalarValue(text, first), { start: startOf(first), value });
    at = endOf(events, value);
  }
  return children;
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
