// The text of bpf/generated/<object>.ts: tables for the loader, and for each struct a reader and a writer, for records also
// a view that reads fields in place. Integers are little-endian, as every machine is that we run on; `__be16` and its like are not.

import type { FieldDescription, ObjectDescription, StructDescription, ValueDescription } from './bpf-types.ts';

/** Not formatted. */
export function layoutFile(object: string, description: ObjectDescription): string {
  const { programs, maps, constants, enums, structs, records } = description;
  const parts = [
    `// Made of the BTF of ${object}.bpf.o by \`npm run build:bpf\`; changes are made in bpf/programs/.\n`,
    `export const ${camelCase(object)} = ${JSON.stringify({ programs, maps, constants })} as const;\n`,
    ...enums.map(
      ({ name, values }) =>
        `/** enum ${name} */\nexport const ${pascalCase(name)} = {${values.map(({ name, val }) => `${name}: ${val}`).join()}} as const;\n`,
    ),
    ...structs.flatMap((struct) => [shapeOf(struct), readerOf(struct), writerOf(struct)]),
    ...structs.filter(({ name }) => records.has(name)).map(viewOf),
  ];
  const text = parts.join('\n');
  return text.includes('bytesAt(') ? `${text}\n${BYTES_AT}` : text;
}

const BYTES_AT = `function bytesAt(view: DataView, offset: number, length: number): Uint8Array {
  if (offset + length > view.byteLength) throw new RangeError('the struct ends beyond the view');
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}
`;

function shapeOf({ name, bytes, fields }: StructDescription): string {
  const members = fields.map((field) => `readonly ${camelCase(field.name)}: ${typeOf(field.value)};`);
  const table = fields.map(({ name, offset, value }) => ({ name: camelCase(name), offset, bytes: value.bytes }));
  return `/** struct ${name} */
export interface ${pascalCase(name)} {
${members.join('\n')}
}

export const ${camelCase(name)}Layout = ${JSON.stringify({ bytes, fields: table })} as const;
`;
}

function typeOf(value: ValueDescription): string {
  switch (value.kind) {
    case 'integer':
      return value.bytes === 8 ? 'bigint' : 'number';
    case 'boolean':
      return 'boolean';
    case 'bytes':
      return 'Uint8Array';
    case 'struct':
      return pascalCase(value.name);
    case 'array':
      return `readonly ${typeOf(value.of)}[]`;
  }
}

function readerOf({ name, fields }: StructDescription): string {
  const members = fields.map(({ name, offset, value }) => `${camelCase(name)}: ${readOf(value, at(offset))}`);
  return `/** A copy of what is at \`offset\`. */
export function read${pascalCase(name)}(view: DataView, offset: number): ${pascalCase(name)} {
  return { ${members.join()} };
}
`;
}

function readOf(value: ValueDescription, place: string): string {
  switch (value.kind) {
    case 'integer':
      return `view.get${accessorOf(value)}(${place}${endianness(value)})`;
    case 'boolean':
      return `view.getUint8(${place}) !== 0`;
    case 'bytes':
      return `bytesAt(view, ${place}, ${value.bytes}).slice()`;
    case 'struct':
      return `read${pascalCase(value.name)}(view, ${place})`;
    case 'array':
      return `Array.from({ length: ${value.length} }, (_, index) => ${readOf(value.of, `${place} + index * ${value.of.bytes}`)})`;
  }
}

function writerOf({ name, fields }: StructDescription): string {
  const statements = fields.map(({ name, offset, value }) => writeOf(value, at(offset), `value.${camelCase(name)}`));
  return `/** Throws a RangeError when a field lies beyond \`view\`, or bytes are more than there is room for. */
export function write${pascalCase(name)}(view: DataView, offset: number, value: ${pascalCase(name)}): void {
  ${statements.join('\n')}
}
`;
}

function writeOf(value: ValueDescription, place: string, from: string): string {
  switch (value.kind) {
    case 'integer':
      return `view.set${accessorOf(value)}(${place}, ${from}${endianness(value)});`;
    case 'boolean':
      return `view.setUint8(${place}, ${from} ? 1 : 0);`;
    case 'bytes':
      return `bytesAt(view, ${place}, ${value.bytes}).set(${from});`;
    case 'struct':
      return `write${pascalCase(value.name)}(view, ${place}, ${from});`;
    case 'array':
      return `for (let index = 0; index < ${value.length}; index++) {
        ${writeOf(value.of, `${place} + index * ${value.of.bytes}`, `${from}[index]!`)}
      }`;
  }
}

/** Nothing is allocated by moving a view or reading its numbers, so one view serves any number of records. */
function viewOf(struct: StructDescription): string {
  const nested = struct.fields.filter(({ value }) => value.kind === 'struct');
  const viewName = ({ value }: FieldDescription) => `${pascalCase((value as { name: string }).name)}View`;
  const members = nested.map((field) => `readonly ${camelCase(field.name)} = new ${viewName(field)}();`);
  const moves = nested.map(({ name, offset }) => `this.${camelCase(name)}.moveTo(view, ${at(offset)});`);
  const getters = struct.fields.filter((field) => !nested.includes(field)).map(getterOf);
  return `/** A struct ${struct.name} in place. Integers of 64 bits are numbers here, exact up to 2 ** 53; bytes are not copied. */
export class ${pascalCase(struct.name)}View {
  #view: DataView = new DataView(new ArrayBuffer(${struct.bytes}));
  #offset = 0;
  ${members.join('\n')}

  moveTo(view: DataView, offset: number): void {
    this.#view = view;
    this.#offset = offset;
    ${moves.join('\n')}
  }

  ${getters.join('\n\n')}
}
`;
}

function getterOf({ name, offset, value }: FieldDescription): string {
  const place = (more: number) => (offset + more === 0 ? 'this.#offset' : `this.#offset + ${offset + more}`);
  const getter = (type: string, text: string) => `get ${camelCase(name)}(): ${type} { return ${text}; }`;
  if (value.kind === 'integer' && value.bytes === 8) {
    const [low, high] = value.bigEndian ? [4, 0] : [0, 4];
    const end = endianness(value);
    const highHalf = `this.#view.get${value.signed ? 'Int32' : 'Uint32'}(${place(high)}${end})`;
    return getter('number', `${highHalf} * 4294967296 + this.#view.getUint32(${place(low)}${end})`);
  }
  if (value.kind === 'bytes') return getter('Uint8Array', `bytesAt(this.#view, ${place(0)}, ${value.bytes})`);
  return getter(typeOf(value), readOf(value, place(0)).replaceAll(/\bview\b/g, 'this.#view'));
}

function accessorOf({ bytes, signed }: { readonly bytes: number; readonly signed: boolean }): string {
  return `${bytes === 8 ? 'Big' : ''}${signed ? 'Int' : 'Uint'}${bytes * 8}`;
}

function endianness({ bytes, bigEndian }: { readonly bytes: number; readonly bigEndian: boolean }): string {
  return bytes === 1 || bigEndian ? '' : ', true';
}

function at(offset: number): string {
  return offset === 0 ? 'offset' : `offset + ${offset}`;
}

function camelCase(name: string): string {
  return name.replaceAll(/[_-]+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function pascalCase(name: string): string {
  const camel = camelCase(name);
  return camel.charAt(0).toUpperCase() + camel.slice(1);
}
