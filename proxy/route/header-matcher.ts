// `config.route.v3.HeaderMatcher` over requests and responses: routes, retry policies and access-log filters use it.
// Of several fields of one name one that matches is enough. A missing header fails every match but that of absence,
// inverted or not, unless it is to be treated as empty.

import type { HeaderMatch, HeaderMatcher } from '../../config/matcher.ts';
import { type HeaderName, headerName } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead, ResponseHead } from '../http/message.ts';
import { compileStringMatcher, type StringPredicate } from './string-matcher.ts';

export class CompiledHeaderMatcher {
  readonly config: HeaderMatcher;
  readonly #name: HeaderName;
  readonly #predicate: StringPredicate;
  readonly #invert: boolean;
  readonly #whenMissing: boolean;

  constructor(config: HeaderMatcher) {
    this.config = config;
    this.#name = headerName(config.name);
    this.#predicate = compileMatch(config.match);
    this.#invert = config.invert;
    this.#whenMissing = matchesMissing(config, this.#predicate);
  }

  matchesRequest(head: RequestHead): boolean {
    if (!isPseudo(this.#name)) return this.#matchesField(head.headers);
    return this.#matches(pseudoValue(head, this.#name));
  }

  matchesResponse(head: ResponseHead): boolean {
    return this.#name.text === ':status' ? this.#matches(String(head.status)) : this.#matchesField(head.headers);
  }

  #matchesField(headers: HeaderTable): boolean {
    let row = headers.find(this.#name);
    if (row < 0) return this.#whenMissing;
    for (; row >= 0; row = headers.find(this.#name, row + 1)) {
      if (this.#predicate(headers.value(row))) return !this.#invert;
    }
    return this.#invert;
  }

  #matches(value: string | undefined): boolean {
    return value === undefined ? this.#whenMissing : this.#predicate(value) !== this.#invert;
  }
}

function isPseudo(name: HeaderName): boolean {
  return name.bytes[0] === 0x3a || name.text === 'host';
}

function pseudoValue(head: RequestHead, name: HeaderName): string | undefined {
  switch (name.text) {
    case ':method':
      return head.method;
    case ':path':
      return head.path === '' ? undefined : head.path;
    case ':scheme':
      return head.scheme;
    case ':authority':
    case 'host':
      return head.authority === '' ? undefined : head.authority;
    default:
      return undefined;
  }
}

function matchesMissing(config: HeaderMatcher, predicate: StringPredicate): boolean {
  if (config.treatMissingAsEmpty) return predicate('') !== config.invert;
  return config.match.kind === 'present' && config.match.present === config.invert;
}

function compileMatch(match: HeaderMatch): StringPredicate {
  switch (match.kind) {
    case 'present':
      return () => match.present;
    case 'string':
      return compileStringMatcher(match.matcher);
    case 'range':
      return (value) => {
        const number = wholeNumber(value);
        return number >= match.start && number < match.end;
      };
  }
}

// The whole value as a base-10 integer, with the sign and the surrounding blanks that Envoy's parser takes; else NaN,
// which is in no range.
function wholeNumber(value: string): number {
  const text = value.trim();
  let at = text.charCodeAt(0) === 0x2d || text.charCodeAt(0) === 0x2b ? 1 : 0;
  if (at === text.length) return Number.NaN;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x30 || code > 0x39) return Number.NaN;
  }
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : Number.NaN;
}
