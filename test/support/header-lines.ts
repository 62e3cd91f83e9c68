// Header tables from and to lines of text.

import { HeaderTable } from '../../proxy/http/header-table.ts';

/** A table filled as a codec does: the bytes at once, then the rows over them, without the white space around values. */
export function tableOf(...lines: string[]): HeaderTable {
  const table = new HeaderTable();
  const text = lines.map((line) => `${line}\r\n`).join('');
  table.reserve(text.length);
  table.used = table.bytes.latin1Write(text, 0);
  let at = 0;
  for (const line of lines) {
    const parts = /^([^:]*):([ \t]*)(.*?)([ \t]*)$/.exec(line)!;
    const valueStart = at + parts[1]!.length + 1 + parts[2]!.length;
    const end = at + line.length + 2;
    table.addRow(at, at + parts[1]!.length, valueStart, valueStart + parts[3]!.length, end);
    at = end;
  }
  return table;
}

export function linesOf(table: HeaderTable): string[] {
  const target = Buffer.alloc(table.encodedLength);
  const text = target.latin1Slice(0, table.copyTo(target, 0));
  return text === '' ? [] : text.slice(0, -2).split('\r\n');
}
