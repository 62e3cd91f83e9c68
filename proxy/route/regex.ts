// Regular expressions with RE2's syntax and linear time, whatever the pattern and whatever the peer sends: the only place
// of the data path that knows the library. Values are byte strings; a pattern sees the text they spell in UTF-8, as RE2 does.
// https://github.com/google/re2/wiki/Syntax

import { RE2JS } from 're2js';
import { fromByteString, toByteString } from '../format/byte-string.ts';

export class Regex {
  readonly #pattern: RE2JS;
  /** What every match begins with, for the common `/prefix/.*`: then nothing has to run. Null for other patterns. */
  readonly #literalPrefix: string | null;

  /** @throws RE2JSSyntaxException when the pattern is malformed; decoding refuses such a pattern first. */
  constructor(pattern: string) {
    this.#pattern = RE2JS.compile(pattern);
    this.#literalPrefix = /^[A-Za-z0-9/_-]*\.\*$/.test(pattern) ? pattern.slice(0, -2) : null;
  }

  /** Whether the whole value matches. */
  matches(value: string): boolean {
    const prefix = this.#literalPrefix;
    if (prefix !== null && !value.includes('\n')) return value.startsWith(prefix);
    return this.#pattern.testExact(fromByteString(value));
  }

  /** Whether the value contains a match, as filters of the admin interface ask. */
  finds(value: string): boolean {
    return this.#pattern.test(value);
  }

  /** The value with every match replaced. */
  replaceAll(value: string, substitution: Substitution): string {
    const text = fromByteString(value);
    const matcher = this.#pattern.matcher(text);
    let result = '';
    let copied = 0;
    let previousEnd = -1;
    while (matcher.find()) {
      const start = matcher.start();
      const end = matcher.end();
      // As in RE2's GlobalReplace: no empty match where the previous one ended.
      if (start === end && start === previousEnd) continue;
      result += text.slice(copied, start);
      for (const part of substitution) result += typeof part === 'string' ? part : (matcher.group(part) ?? '');
      copied = end;
      previousEnd = end;
    }
    return copied === 0 && result === '' && previousEnd < 0 ? value : toByteString(result + text.slice(copied));
  }

  /** How many groups the pattern has. */
  get groupCount(): number {
    return this.#pattern.groupCount();
  }
}

/** A substitution such as `\1/\2`, taken apart: text and numbers of groups. */
export type Substitution = readonly (string | number)[];

/** `\0` … `\9` are groups, `\\` is a backslash; a group that the pattern does not have is empty. */
export function compileSubstitution(text: string, regex: Regex): Substitution {
  const parts: (string | number)[] = [];
  let at = 0;
  for (const found of text.matchAll(/\\([0-9\\])/g)) {
    if (found.index > at) parts.push(text.slice(at, found.index));
    at = found.index + 2;
    if (found[1] === '\\') parts.push('\\');
    else if (Number(found[1]) <= regex.groupCount) parts.push(Number(found[1]));
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}
