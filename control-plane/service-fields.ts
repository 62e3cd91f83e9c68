// Reading values of the short form, with problems in words for people who know no protobuf.

import type { Problems } from '../config/problems.ts';
import { nearestName } from '../xds/message/nearest-name.ts';

export type Mapping = { readonly [key: string]: unknown };

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function checkKeys(mapping: Mapping, known: readonly string[], problems: Problems): void {
  for (const key of Object.keys(mapping)) {
    if (known.includes(key)) continue;
    const meant = nearestName(key, known);
    const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean \`${meant}\`?`;
    problems.at(key).add(`is not known here; ${hint}`);
  }
}

/** Text that is not empty. */
export function readText(value: unknown, problems: Problems): string | undefined {
  if (typeof value === 'string' && value !== '') return value;
  // YAML takes an unquoted number or `true` for what it looks like.
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  problems.add(`expected text, got ${value === undefined ? 'nothing' : JSON.stringify(value)}`);
  return undefined;
}

export function readNumber(
  value: unknown,
  { least, most }: { readonly least: number; readonly most: number },
  problems: Problems,
): number | undefined {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  problems.add(`expected a whole number from ${least} to ${most}, got ${JSON.stringify(value)}`);
  return undefined;
}

const durationUnits: { readonly [unit: string]: number } = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** A duration in the form of proto3 JSON. */
export function readDuration(value: unknown, problems: Problems): string | undefined {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(String(value)) ?? [];
  if (amount === undefined) {
    problems.add(`expected a duration such as 2s or 500ms, got ${JSON.stringify(value)}`);
    return undefined;
  }
  return `${Number((Number(amount) * durationUnits[unit!]!).toFixed(6))}s`;
}
