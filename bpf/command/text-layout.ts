// Text for a terminal of usual width: paragraphs that break between words, and columns.

const WIDTH = 100;

/** `text` broken into lines, the first after `lead` and the rest below it. */
export function paragraph(lead: string, text: string, width: number = WIDTH): string {
  const indentation = ' '.repeat(lead.length);
  const lines: string[] = [];
  let line = lead;
  for (const word of text.split(' ')) {
    const isFirst = line === lead || line === indentation;
    if (!isFirst && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indentation;
    }
    line += line === lead || line === indentation ? word : ` ${word}`;
  }
  return [...lines, line].map((each) => each.trimEnd()).join('\n');
}

/** Rows of cells, each column as wide as its widest cell; two spaces between. */
export function columns(rows: readonly (readonly string[])[], indentation = ''): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows
    .map((row) => `${indentation}${row.map((cell, index) => cell.padEnd(widths[index]!)).join('  ')}`.trimEnd())
    .join('\n');
}
