// `config.route.v3.QueryParameterMatcher`. As in Envoy, names and values are compared as they were sent, not decoded, and
// the first of several parameters of a name counts.

import type { QueryParameterMatcher } from '../../config/matcher.ts';
import { toByteString } from '../format/byte-string.ts';
import { compileStringMatcher, type StringPredicate } from './string-matcher.ts';

export class CompiledQueryParameterMatcher {
  readonly config: QueryParameterMatcher;
  readonly #name: string;
  readonly #predicate: StringPredicate | null;

  constructor(config: QueryParameterMatcher) {
    this.config = config;
    // A name with a separator in it is never sent; NUL stands in, which no request target holds.
    this.#name = /[&=]/.test(config.name) ? '\u0000' : toByteString(config.name);
    this.#predicate = config.match.kind === 'present' ? null : compileStringMatcher(config.match.matcher);
  }

  /** `path` is the path with its query. */
  matches(path: string): boolean {
    const value = queryParameter(path, this.#name);
    return value !== null && (this.#predicate === null || this.#predicate(value));
  }
}

/** The value of the first parameter of this name, which holds no separator; empty without `=`; null when there is none. */
export function queryParameter(path: string, name: string): string | null {
  let at = path.indexOf('?') + 1;
  if (at === 0) return null;
  for (;;) {
    const ampersand = path.indexOf('&', at);
    const end = ampersand < 0 ? path.length : ampersand;
    const nameEnd = at + name.length;
    if (path.startsWith(name, at)) {
      if (nameEnd === end) return '';
      if (path.charCodeAt(nameEnd) === 0x3d) return path.slice(nameEnd + 1, end);
    }
    if (ampersand < 0) return null;
    at = ampersand + 1;
  }
}
