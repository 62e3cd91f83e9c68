// Regular expressions of the configuration have RE2 syntax (https://github.com/google/re2/wiki/Syntax) and are
// compiled once here, so that a bad one is a problem of the configuration and not of a request.

import { RE2JS } from 're2js';
import type { Problems } from '../config/problems.ts';
import type { RegexMatchAndSubstitute, RegexMatcher } from './generated/messages.ts';

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

function compile(regex: string, problems: Problems): RE2JS | undefined {
  try {
    return RE2JS.compile(regex);
  } catch (error) {
    problems.add(`${JSON.stringify(regex)} is not an RE2 regular expression: ${(error as Error).message}`);
    return undefined;
  }
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
