// `type.matcher.v3.StringMatcher`, compiled to one function over byte strings.

import type { StringMatcher } from '../../config/matcher.ts';
import { toByteString } from '../format/byte-string.ts';
import { asciiLowerCase } from './ascii-case.ts';
import { Regex } from './regex.ts';

export type StringPredicate = (value: string) => boolean;

export function compileStringMatcher(matcher: StringMatcher): StringPredicate {
  if (matcher.kind === 'regex') {
    const regex = new Regex(matcher.regex);
    return (value) => regex.matches(value);
  }
  const expected = toByteString(matcher.value);
  if (!matcher.ignoreCase) return compileLiteral(matcher.kind, expected);
  const lower = compileLiteral(matcher.kind, asciiLowerCase(expected));
  return (value) => lower(asciiLowerCase(value));
}

function compileLiteral(kind: 'exact' | 'prefix' | 'suffix' | 'contains', expected: string): StringPredicate {
  switch (kind) {
    case 'exact':
      return (value) => value === expected;
    case 'prefix':
      return (value) => value.startsWith(expected);
    case 'suffix':
      return (value) => value.endsWith(expected);
    case 'contains':
      return (value) => value.includes(expected);
  }
}
