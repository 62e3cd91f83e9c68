// Matchers of strings, headers and query parameters, and shares of requests.

import type {
  CookieMatcher,
  HeaderMatch,
  HeaderMatcher,
  QueryParameterMatcher,
  RuntimeFraction,
  StringMatcher,
} from '../../config/matcher.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  CookieMatcher as CookieMatcherMessage,
  FractionalPercent,
  HeaderMatcher as HeaderMatcherMessage,
  QueryParameterMatcher as QueryParameterMatcherMessage,
  RuntimeFractionalPercent,
  StringMatcher as StringMatcherMessage,
} from '../generated/messages.ts';
import { given } from './given.ts';
import { decodeRegex } from './regex.ts';

export function decodeStringMatcher(message: StringMatcherMessage, problems: Problems): StringMatcher | undefined {
  const ignoreCase = message.ignoreCase ?? false;
  if (message.exact !== undefined) return { kind: 'exact', value: message.exact, ignoreCase };
  if (message.prefix !== undefined) return { kind: 'prefix', value: message.prefix, ignoreCase };
  if (message.suffix !== undefined) return { kind: 'suffix', value: message.suffix, ignoreCase };
  if (message.contains !== undefined) return { kind: 'contains', value: message.contains, ignoreCase };
  if (ignoreCase) problems.at('ignore_case').add('has no effect on safe_regex; write (?i) at the start of the regex');
  const regex = decodeRegex(message.safeRegex, problems.at('safe_regex'));
  return regex === undefined ? undefined : { kind: 'regex', regex };
}

/** Matchers in order; those that are wrong are recorded and left out. */
export function decodeHeaderMatchers(
  messages: readonly HeaderMatcherMessage[] | undefined,
  problems: Problems,
): readonly HeaderMatcher[] {
  const matchers: HeaderMatcher[] = [];
  for (const [index, message] of (messages ?? []).entries()) {
    const matcher = decodeHeaderMatcher(message, problems.item(index));
    if (matcher !== undefined) matchers.push(matcher);
  }
  return matchers;
}

export function decodeHeaderMatcher(message: HeaderMatcherMessage, problems: Problems): HeaderMatcher | undefined {
  const match = decodeHeaderMatch(message, problems);
  if (message.name === undefined || match === undefined) return undefined;
  return {
    name: message.name.toLowerCase(),
    match,
    invert: message.invertMatch ?? false,
    treatMissingAsEmpty: message.treatMissingHeaderAsEmpty ?? false,
  };
}

/** Without a match of its own a header has to be there. */
function decodeHeaderMatch(message: HeaderMatcherMessage, problems: Problems): HeaderMatch | undefined {
  if (message.presentMatch !== undefined) return { kind: 'present', present: message.presentMatch };
  if (message.rangeMatch !== undefined) {
    const { start = 0, end = 0 } = message.rangeMatch;
    return { kind: 'range', start, end };
  }
  if (message.stringMatch === undefined && message.safeRegexMatch !== undefined) {
    const regex = decodeRegex(message.safeRegexMatch, problems.at('safe_regex_match'));
    return regex === undefined ? undefined : { kind: 'string', matcher: { kind: 'regex', regex } };
  }
  const text = headerText(message);
  if (text === undefined) return { kind: 'present', present: true };
  const matcher = decodeStringMatcher(text, message.stringMatch === undefined ? problems : problems.at('string_match'));
  return matcher === undefined ? undefined : { kind: 'string', matcher };
}

/** The spellings of text before `string_match`, which Envoy still takes, as a string matcher. */
function headerText(message: HeaderMatcherMessage): StringMatcherMessage | undefined {
  if (message.stringMatch !== undefined) return message.stringMatch;
  if (message.exactMatch !== undefined) return { exact: message.exactMatch };
  if (message.prefixMatch !== undefined) return { prefix: message.prefixMatch };
  if (message.suffixMatch !== undefined) return { suffix: message.suffixMatch };
  if (message.containsMatch !== undefined) return { contains: message.containsMatch };
  return undefined;
}

export function decodeQueryParameterMatchers(
  messages: readonly QueryParameterMatcherMessage[] | undefined,
  problems: Problems,
): readonly QueryParameterMatcher[] {
  const matchers: QueryParameterMatcher[] = [];
  for (const [index, message] of (messages ?? []).entries()) {
    const matcher = decodeQueryParameterMatcher(message, problems.item(index));
    if (matcher !== undefined) matchers.push(matcher);
  }
  return matchers;
}

function decodeQueryParameterMatcher(
  message: QueryParameterMatcherMessage,
  problems: Problems,
): QueryParameterMatcher | undefined {
  const { name, stringMatch, presentMatch } = message;
  if (presentMatch === false) problems.at('present_match').unsupported('false', 'use string_match');
  if (name === undefined) return undefined;
  if (stringMatch === undefined) return { name, match: { kind: 'present' } };
  const matcher = decodeStringMatcher(stringMatch, problems.at('string_match'));
  return matcher === undefined ? undefined : { name, match: { kind: 'string', matcher } };
}

export function decodeCookieMatchers(
  messages: readonly CookieMatcherMessage[],
  problems: Problems,
): readonly CookieMatcher[] {
  const matchers: CookieMatcher[] = [];
  for (const [index, { name, stringMatch, invertMatch = false }] of messages.entries()) {
    const matcher = stringMatch && decodeStringMatcher(stringMatch, problems.item(index).at('string_match'));
    if (name !== undefined && matcher !== undefined) matchers.push({ name, matcher, invert: invertMatch });
  }
  return matchers;
}

const denominators = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

export function decodeFraction(
  message: FractionalPercent | undefined,
  runtimeKey: string | undefined,
): RuntimeFraction {
  return {
    numerator: message?.numerator ?? 0,
    denominator: denominators[message?.denominator ?? 'HUNDRED'],
    ...given('runtimeKey', runtimeKey),
  };
}

export function decodeRuntimeFraction(message: RuntimeFractionalPercent): RuntimeFraction {
  return decodeFraction(message.defaultValue, message.runtimeKey);
}
