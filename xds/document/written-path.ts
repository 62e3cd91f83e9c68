// Paths in the operator's own spelling. Decoders name fields as the proto file does; a document may have them in
// lowerCamelCase, and a TypedStruct has its fields one level deeper. Looked up only for problems, so decoders need not know.

import type { Problem } from '../../config/problems.ts';

/** The path with each field spelled as in `document`; steps that the document does not have stay as they are. */
export function writtenPath(path: string, document: unknown): string {
  let place: unknown = document;
  let written = '';
  for (const [step, field, index] of path.matchAll(steps)) {
    if (field === undefined) {
      written += step;
      place = member(place, JSON.parse(index!));
      continue;
    }
    if (isTypedStruct(place, field)) {
      written += '.value';
      place = member(place, 'value');
    }
    const name = spelling(field, place);
    written += written === '' ? name : `.${name}`;
    place = member(place, name);
  }
  return written;
}

/**
 * The problems in the order in which a person meets their places in the document. What the document does not have, such
 * as a required field, comes at the end of what it is missing in.
 */
export function inDocumentOrder(problems: readonly Problem[], document: unknown): readonly Problem[] {
  return problems
    .map((problem) => ({ problem, places: placesOf(problem.path, document) }))
    .sort((a, b) => comparePlaces(a.places, b.places))
    .map(({ problem }) => problem);
}

function comparePlaces(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.length - b.length;
}

/** The position of each step among its siblings. */
function placesOf(path: string, document: unknown): readonly number[] {
  let place: unknown = document;
  return splitPath(path).map((key) => {
    const position = positionOf(key, place);
    place = member(place, key);
    return position;
  });
}

function positionOf(key: string | number, place: unknown): number {
  if (typeof key === 'number') return key;
  const position = typeof place === 'object' && place !== null ? Object.keys(place).indexOf(key) : -1;
  return position < 0 ? Number.MAX_SAFE_INTEGER : position;
}

/** The fields and indices of a path, in order: `a.b[0]["key"]` is a, b, 0, key. */
export function splitPath(path: string): readonly (string | number)[] {
  return [...path.matchAll(steps)].map(([, field, index]) => field ?? JSON.parse(index!));
}

const steps = /([^.[\]]+)|\[(\d+|"(?:[^"\\]|\\.)*")\]/g;

function spelling(field: string, place: unknown): string {
  if (member(place, field) !== undefined) return field;
  const camelCase = field.replace(/_(.)/g, (_, next: string) => next.toUpperCase());
  return member(place, camelCase) === undefined ? field : camelCase;
}

function isTypedStruct(place: unknown, field: string): boolean {
  const type = member(place, '@type');
  return typeof type === 'string' && type.endsWith('.TypedStruct') && member(place, field) === undefined;
}

function member(place: unknown, key: string | number): unknown {
  if (typeof place !== 'object' || place === null || !Object.hasOwn(place, key)) return undefined;
  return (place as { readonly [key: string]: unknown })[key];
}
