// `mask` of `/config_dump`: keeps the fields a `google.protobuf.FieldMask` names. The documents are JSON as an operator
// wrote it, so a field may stand there in either of proto3's spellings.
// https://protobuf.dev/reference/protobuf/google.protobuf/#field-mask

/** A field of a JSON object by its name in the proto, in either spelling; undefined when it is not there. */
export function field(object: unknown, name: string): unknown {
  if (typeof object !== 'object' || object === null) return undefined;
  const fields = object as Readonly<Record<string, unknown>>;
  return fields[name] ?? fields[name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
}

/** `a.b,c` as paths. */
export function parseMask(mask: string): readonly (readonly string[])[] {
  return mask
    .split(',')
    .filter((path) => path !== '')
    .map((path) => path.split('.'));
}

/** What the paths name of `value`, lists element by element; undefined when they name nothing. `@type` always stays. */
export function applyMask(value: unknown, paths: readonly (readonly string[])[]): unknown {
  if (paths.some((path) => path.length === 0)) return value;
  if (Array.isArray(value)) {
    const elements = value.map((element) => applyMask(element, paths)).filter((element) => element !== undefined);
    return elements.length === 0 ? undefined : elements;
  }
  const kept: Record<string, unknown> = {};
  for (const name of new Set(paths.map((path) => path[0]!))) {
    const below = paths.filter((path) => path[0] === name).map((path) => path.slice(1));
    const found = field(value, name);
    const masked = found === undefined ? undefined : applyMask(found, below);
    if (masked !== undefined) kept[name] = masked;
  }
  if (Object.keys(kept).length === 0) return undefined;
  const type = field(value, '@type');
  return type === undefined ? kept : { '@type': type, ...kept };
}
