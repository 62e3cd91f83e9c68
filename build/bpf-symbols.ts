// The symbols of a relocatable ELF object, as clang makes them for BPF: 64 bits, little-endian. BTF tells types; which
// section a program is in and where a constant lies is told here alone.
// https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.intro.html

export interface ObjectSymbol {
  readonly name: string;
  /** Of its section; empty for what is in none. */
  readonly section: string;
  /** Within the section. */
  readonly offset: number;
  readonly bytes: number;
  readonly kind: 'function' | 'object' | 'other';
  readonly isGlobal: boolean;
}

/** In the order of the symbol table. Throws for what is no such object. */
export function readSymbols(bytes: Uint8Array): ObjectSymbol[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || view.getUint32(0) !== MAGIC || view.getUint16(4) !== CLASS_64_LITTLE) {
    throw new Error('not a little-endian ELF object of 64 bits');
  }
  const sections = readSections(view);
  const names = sections[view.getUint16(62, true)]!;
  const sectionNames = sections.map(({ nameOffset }) => textAt(bytes, names.offset + nameOffset));
  const table = sections.find(({ type }) => type === SYMBOL_TABLE);
  if (table === undefined) throw new Error('an ELF object without symbols');
  const texts = sections[table.link]!;
  const symbols: ObjectSymbol[] = [];
  for (let at = table.offset; at < table.offset + table.bytes; at += SYMBOL_BYTES) {
    const info = view.getUint8(at + 4);
    symbols.push({
      name: textAt(bytes, texts.offset + view.getUint32(at, true)),
      section: sectionNames[view.getUint16(at + 6, true)] ?? '',
      offset: Number(view.getBigUint64(at + 8, true)),
      bytes: Number(view.getBigUint64(at + 16, true)),
      kind: KINDS.get(info & 0xf) ?? 'other',
      isGlobal: info >> 4 !== 0,
    });
  }
  return symbols;
}

const MAGIC = 0x7f454c46;
const CLASS_64_LITTLE = 0x0201;
const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const SYMBOL_TABLE = 2;
const KINDS: ReadonlyMap<number, ObjectSymbol['kind']> = new Map([
  [1, 'object'],
  [2, 'function'],
]);

interface Section {
  readonly nameOffset: number;
  readonly type: number;
  readonly offset: number;
  readonly bytes: number;
  readonly link: number;
}

function readSections(view: DataView): Section[] {
  const table = Number(view.getBigUint64(40, true));
  return Array.from({ length: view.getUint16(60, true) }, (_, index) => {
    const at = table + index * SECTION_BYTES;
    return {
      nameOffset: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      offset: Number(view.getBigUint64(at + 24, true)),
      bytes: Number(view.getBigUint64(at + 32, true)),
      link: view.getUint32(at + 40, true),
    };
  });
}

function textAt(bytes: Uint8Array, offset: number): string {
  return Buffer.from(bytes.subarray(offset, bytes.indexOf(0, offset))).toString('latin1');
}
