// Regular expressions of the configuration have RE2 syntax (https://github.com/google/re2/wiki/Syntax) and are
// compiled once here, so that a bad one is a problem of the configuration and not of a request.

import { RE2JS } from 're2js';
import type { Problems } from '../../config/problems.ts';
import type { RegexMatchAndSubstitute, RegexMatcher } from '../generated/messages.ts';

/** The pattern of a regex matcher, when it compiles; undefined otherwise (recorded, or reported as missing before). */
export function decodeRegex(matcher: RegexMatcher | undefined, problems: Problems): string | undefined {
  if (matcher?.regex === undefined) return undefined;
  return compile(matcher.regex, problems.at('regex')) === undefined ? undefined : matcher.regex;
}

/** A pattern and its substitution, whose `\N` name groups that exist. */
export function decodeRegexSubstitution(
  message: RegexMatchAndSubstitute | undefined,
  problems: Problems,
): { readonly regex: string; readonly substitution: string } | undefined {
  const regex = message?.pattern?.regex;
  if (message === undefined || regex === undefined) return undefined;
  const compiled = compile(regex, problems.at('pattern').at('regex'));
  if (compiled === undefined) return undefined;
  const substitution = message.substitution ?? '';
  const isRight = checkSubstitution(substitution, compiled.groupCount(), problems.at('substitution'));
  return isRight ? { regex, substitution } : undefined;
}

/**
 * Envoy's RE2 gives a pattern 8 MB, which is about as much. Compiling takes microseconds for each character, on the main
 * thread and in every worker: a megabyte of alternatives would stop requests for many seconds.
 */
const maxLength = 65_536;
const maxExpandedLength = 500_000;

function compile(regex: string, problems: Problems): RE2JS | undefined {
  if (regex.length > maxLength || regex.length * largestRepeat(regex) > maxExpandedLength) {
    problems.add(`${JSON.stringify(regex.slice(0, 40))}… is too large for a regular expression`);
    return undefined;
  }
  try {
    return RE2JS.compile(regex);
  } catch (error) {
    problems.add(`${JSON.stringify(regex)} is not an RE2 regular expression: ${(error as Error).message}`);
    return undefined;
  }
}

/** `x{n,m}` becomes m copies of x. */
function largestRepeat(regex: string): number {
  let largest = 1;
  for (const [, least, most] of regex.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    largest = Math.max(largest, Number(least), Number(most ?? 0));
  }
  return largest;
}

function checkSubstitution(substitution: string, groups: number, problems: Problems): boolean {
  for (const [reference, escaped] of substitution.matchAll(/\\(.?)/gs)) {
    if (escaped === '\\') continue;
    if (!/^\d$/.test(escaped ?? '')) {
      problems.add(`${reference} is neither a group nor an escaped backslash`);
      return false;
    }
    if (Number(escaped) > groups) {
      problems.add(`${reference} names a group that the pattern does not have; it has ${groups}`);
      return false;
    }
  }
  return true;
}
