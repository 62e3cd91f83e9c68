// What an object's BTF says of its maps, constants, structs and enums, as bpftool prints it, brought into the form that
// bpf/generated/ is written from. What cannot be read and written in TypeScript without loss is refused by name.
// https://docs.kernel.org/bpf/btf.html

import type { ObjectSymbol } from './bpf-symbols.ts';

/** One type of `bpftool -j btf dump file`; which members there are depends on `kind`. */
export interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly type_id?: number;
  readonly nr_elems?: number;
  readonly encoding?: string;
  readonly members?: readonly BtfMember[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
  readonly vars?: readonly { readonly type_id: number; readonly size: number }[];
}

export interface BtfMember {
  readonly name: string;
  readonly type_id: number;
  readonly bits_offset: number;
  readonly bitfield_size?: number;
}

export interface ObjectDescription {
  readonly programs: readonly { readonly name: string; readonly section: string }[];
  readonly maps: readonly MapDescription[];
  readonly constants: readonly ConstantDescription[];
  readonly enums: readonly EnumDescription[];
  /** Those that maps hold and those named with DESCRIBED, each after the structs that it consists of. */
  readonly structs: readonly StructDescription[];
  /** Names of the structs that are named with DESCRIBED and of those that they consist of: records, read by the thousand. */
  readonly records: ReadonlySet<string>;
}

export interface MapDescription {
  readonly name: string;
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
}

export interface ConstantDescription {
  readonly name: string;
  /** In .rodata. */
  readonly offset: number;
  readonly bytes: number;
  readonly signed: boolean;
}

export interface EnumDescription {
  readonly name: string;
  readonly values: readonly { readonly name: string; readonly val: number }[];
}

export interface StructDescription {
  readonly name: string;
  readonly bytes: number;
  readonly fields: readonly FieldDescription[];
}

export interface FieldDescription {
  readonly name: string;
  readonly offset: number;
  readonly value: ValueDescription;
}

export type ValueDescription =
  | { readonly kind: 'integer'; readonly bytes: number; readonly signed: boolean; readonly bigEndian: boolean }
  | { readonly kind: 'boolean'; readonly bytes: 1 }
  /** An array of bytes, or of integers in network order, which are bytes as they are sent. */
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'struct'; readonly bytes: number; readonly name: string }
  | { readonly kind: 'array'; readonly bytes: number; readonly length: number; readonly of: ValueDescription };

/** Throws an error that names what cannot be described. */
export function describeObject(types: readonly BtfType[], symbols: readonly ObjectSymbol[]): ObjectDescription {
  return new Description(types).describe(symbols);
}

const BIG_ENDIAN = new Set(['__be16', '__be32', '__be64']);
const QUALIFIERS = new Set(['CONST', 'VOLATILE', 'RESTRICT', 'TYPE_TAG']);
const ANCHORS = '.described';
/** The last enumerator of an enum that is to say how many there are is no value of it. */
const COUNT = '_COUNT';

class Description {
  readonly #types: ReadonlyMap<number, BtfType>;
  readonly #structs = new Map<string, StructDescription>();
  readonly #enums = new Map<string, EnumDescription>();
  readonly #records = new Set<string>();

  constructor(types: readonly BtfType[]) {
    this.#types = new Map(types.map((type) => [type.id, type]));
  }

  describe(symbols: readonly ObjectSymbol[]): ObjectDescription {
    const maps = this.#variablesOf('.maps').map((variable) => this.#map(variable));
    const constants = this.#variablesOf('.rodata').map((variable) => this.#constant(variable, symbols));
    for (const { type_id, name } of this.#variablesOf(ANCHORS)) {
      this.#addRecord(this.#value(this.#pointee(type_id!), name));
    }
    return {
      programs: symbols
        .filter(({ kind, isGlobal, section }) => kind === 'function' && isGlobal && section !== '.text')
        .map(({ name, section }) => ({ name, section })),
      maps,
      constants,
      enums: [...this.#enums.values()],
      structs: [...this.#structs.values()],
      records: this.#records,
    };
  }

  #addRecord(value: ValueDescription): void {
    if (value.kind !== 'struct') return;
    this.#records.add(value.name);
    for (const field of this.#structs.get(value.name)!.fields) this.#addRecord(field.value);
  }

  #variablesOf(section: string): readonly BtfType[] {
    const sections = [...this.#types.values()].filter(({ kind, name }) => kind === 'DATASEC' && name === section);
    return sections.flatMap(({ vars }) => vars!.map(({ type_id }) => this.#type(type_id)));
  }

  /** A map is declared as a struct of pointers: numbers are lengths of arrays, `key` and `value` point to their types. */
  #map({ name, type_id }: BtfType): MapDescription {
    const members = new Map(this.#type(type_id!).members!.map((member) => [member.name, member.type_id]));
    const numberOf = (member: string) => {
      const type = members.get(member);
      return type === undefined ? 0 : this.#type(this.#pointee(type)).nr_elems!;
    };
    const bytesOf = (member: 'key' | 'value') => {
      const type = members.get(member);
      if (type === undefined) return numberOf(`${member}_size`);
      return this.#value(this.#pointee(type), `the ${member} of map ${name}`).bytes;
    };
    return {
      name,
      type: numberOf('type'),
      keyBytes: bytesOf('key'),
      valueBytes: bytesOf('value'),
      maxEntries: numberOf('max_entries'),
    };
  }

  #constant({ name, type_id }: BtfType, symbols: readonly ObjectSymbol[]): ConstantDescription {
    const value = this.#value(type_id!, `constant ${name}`);
    const symbol = symbols.find((symbol) => symbol.name === name && symbol.section === '.rodata');
    if (symbol === undefined) throw new Error(`constant ${name} has no symbol in .rodata`);
    if (value.kind === 'boolean') return { name, offset: symbol.offset, bytes: 1, signed: false };
    if (value.kind !== 'integer') throw new Error(`constant ${name} is no integer`);
    return { name, offset: symbol.offset, bytes: value.bytes, signed: value.signed };
  }

  #value(id: number, place: string, bigEndian = false): ValueDescription {
    const type = this.#type(id);
    if (QUALIFIERS.has(type.kind)) return this.#value(type.type_id!, place, bigEndian);
    switch (type.kind) {
      case 'TYPEDEF':
        return this.#value(type.type_id!, place, bigEndian || BIG_ENDIAN.has(type.name));
      case 'INT':
        if (type.encoding === 'BOOL') return { kind: 'boolean', bytes: 1 };
        return { kind: 'integer', bytes: type.size!, signed: type.encoding !== '(none)', bigEndian };
      case 'ENUM':
        this.#enums.set(type.name, {
          name: type.name,
          values: type.values!.filter(({ name }) => !name.endsWith(COUNT)),
        });
        return { kind: 'integer', bytes: type.size!, signed: type.encoding === 'SIGNED', bigEndian };
      case 'ARRAY':
        return this.#array(type, place);
      case 'STRUCT':
        return this.#struct(type, place);
      default:
        throw new Error(`${place} is of kind ${type.kind}, for which there is no reader`);
    }
  }

  #array({ type_id, nr_elems }: BtfType, place: string): ValueDescription {
    const of = this.#value(type_id!, place);
    const bytes = of.bytes * nr_elems!;
    const isBytes = of.kind === 'integer' && (of.bytes === 1 || of.bigEndian);
    return isBytes ? { kind: 'bytes', bytes } : { kind: 'array', bytes, length: nr_elems!, of };
  }

  #struct({ name, size, members }: BtfType, place: string): ValueDescription {
    if (name === '(anon)') throw new Error(`${place} is a struct without a name, for which there is no reader`);
    const fields = members!.map((member): FieldDescription => {
      const fieldPlace = `${name}.${member.name}`;
      if ((member.bitfield_size ?? 0) > 0)
        throw new Error(`${fieldPlace} is a bit field, for which there is no reader`);
      return { name: member.name, offset: member.bits_offset / 8, value: this.#value(member.type_id, fieldPlace) };
    });
    this.#structs.set(name, { name, bytes: size!, fields });
    return { kind: 'struct', bytes: size!, name };
  }

  #pointee(id: number): number {
    return this.#type(id).type_id!;
  }

  #type(id: number): BtfType {
    const type = this.#types.get(id);
    if (type === undefined) throw new Error(`BTF names type ${id}, which it does not have`);
    return type;
  }
}
