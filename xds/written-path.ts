// Paths in the operator's own spelling. Decoders name fields as the proto file does; a document may have them in
// lowerCamelCase, and a TypedStruct has its fields one level deeper. Looked up only for problems, so decoders need not know.

/** The path with each field spelled as in `document`; steps that the document does not have stay as they are. */
export function writtenPath(path: string, document: unknown): string {
  let place: unknown = document;
  let written = '';
  for (const [step, field, index] of path.matchAll(/([^.[\]]+)|\[(\d+|"(?:[^"\\]|\\.)*")\]/g)) {
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
