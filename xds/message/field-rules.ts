// The rules of protoc-gen-validate, as Envoy's proto files use them
// (https://github.com/bufbuild/protoc-gen-validate#constraint-rules).

import type { FieldRules } from './message-descriptor.ts';

/**
 * What a value breaks, as a sentence; undefined when it is right. `type` is the proto type of the value or of the
 * elements of a list: it decides how limits are shown (durations in seconds).
 */
export function ruleViolation(value: unknown, type: string, rules: FieldRules): string | undefined {
  if (typeof value === 'number') return numberViolation(value, type, rules);
  if (typeof value === 'string') return textViolation(value, rules);
  if (value instanceof Uint8Array) return lengthViolation(value.length, rules, 'bytes');
  if (Array.isArray(value)) return listViolation(value, rules);
  if (rules.const !== undefined && value !== rules.const) return `must be ${rules.const}`;
  return undefined;
}

function numberViolation(value: number, type: string, rules: FieldRules): string | undefined {
  const show = (number: number) => (type === 'google.protobuf.Duration' ? `${number / 1000}s` : `${number}`);
  // Envoy takes no negative duration anywhere, whatever the rules of the field.
  if (type === 'google.protobuf.Duration' && value < 0) return `must not be negative, got ${show(value)}`;
  if (type === 'google.protobuf.Duration' && value > maxDurationMs) {
    return `must be at most ${show(maxDurationMs)}, got ${show(value)}`;
  }
  if (rules.gt !== undefined && !(value > rules.gt)) return `must be more than ${show(rules.gt)}, got ${show(value)}`;
  if (rules.gte !== undefined && !(value >= rules.gte))
    return `must be at least ${show(rules.gte)}, got ${show(value)}`;
  if (rules.lt !== undefined && !(value < rules.lt)) return `must be less than ${show(rules.lt)}, got ${show(value)}`;
  if (rules.lte !== undefined && !(value <= rules.lte)) return `must be at most ${show(rules.lte)}, got ${show(value)}`;
  return membershipViolation(value, rules);
}

/** Envoy's bound: 2^63 nanoseconds, rounded down to whole seconds less one. */
const maxDurationMs = 9_223_372_035_999;

function textViolation(value: string, rules: FieldRules): string | undefined {
  if (value === '' && (rules.min_len ?? 0) === 0) return undefined;
  const length = lengthViolation(charactersOf(value), rules, 'characters');
  if (length !== undefined) return length;
  if (rules.max_bytes !== undefined && Buffer.byteLength(value) > rules.max_bytes) {
    return `must have at most ${rules.max_bytes} bytes, has ${Buffer.byteLength(value)}`;
  }
  if (rules.pattern !== undefined && !new RegExp(rules.pattern, 'u').test(value)) {
    return `${JSON.stringify(value)} does not match ${rules.pattern}`;
  }
  return headerViolation(value, rules) ?? membershipViolation(value, rules);
}

/** Code points: a surrogate pair is one character. */
function charactersOf(value: string): number {
  return value.length - (value.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

/** RFC 9110 section 5.1, with the colon of pseudo-headers. Stricter than Envoy, which lets spaces through here. */
const headerName = /^:?[0-9A-Za-z!#$%&'*+.^_`|~-]+$/;

export function isHeaderName(text: string): boolean {
  return headerName.test(text);
}

function headerViolation(value: string, rules: FieldRules): string | undefined {
  if (rules.well_known_regex === 'HTTP_HEADER_NAME' && !isHeaderName(value)) {
    return `${JSON.stringify(value)} is not a header name`;
  }
  const breaksLine = value.includes('\r') || value.includes('\n') || value.includes('\0');
  return rules.well_known_regex === 'HTTP_HEADER_VALUE' && breaksLine
    ? 'must not hold line breaks or zero bytes'
    : undefined;
}

function lengthViolation(length: number, rules: FieldRules, unit: string): string | undefined {
  if (rules.min_len !== undefined && length < rules.min_len) {
    return length === 0 ? 'must not be empty' : `must have at least ${rules.min_len} ${unit}, has ${length}`;
  }
  if (rules.max_len !== undefined && length > rules.max_len) {
    return `must have at most ${rules.max_len} ${unit}, has ${length}`;
  }
  return undefined;
}

function listViolation(items: readonly unknown[], rules: FieldRules): string | undefined {
  if (rules.min_items !== undefined && items.length < rules.min_items) {
    return `must have at least ${rules.min_items} elements, has ${items.length}`;
  }
  if (rules.max_items !== undefined && items.length > rules.max_items) {
    return `must have at most ${rules.max_items} elements, has ${items.length}`;
  }
  return rules.unique === true && new Set(items).size < items.length ? 'must not hold an element twice' : undefined;
}

function membershipViolation(value: string | number, rules: FieldRules): string | undefined {
  if (rules.in !== undefined && !rules.in.includes(value)) {
    return `${JSON.stringify(value)} is not one of ${rules.in.join(', ')}`;
  }
  return undefined;
}
