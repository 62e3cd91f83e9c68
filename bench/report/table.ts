// Markdown tables and the way figures are written in them.
import { type Spread, spreadOf } from '../measure/spread.ts';

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

// "median (least-most)", or a dash when every round was discarded.
export function formatSpread(values: readonly number[], digits: number): string {
  if (values.length === 0) return '-';
  const spread = spreadOf(values);
  const range = spread.least === spread.most ? '' : ` (${fixed(spread.least, digits)}-${fixed(spread.most, digits)})`;
  return fixed(spread.median, digits) + range;
}

export function medianOf(values: readonly number[]): Spread['median'] | null {
  return values.length === 0 ? null : spreadOf(values).median;
}

function fixed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d|\.))/g, digits === 0 ? ' ' : '');
}
