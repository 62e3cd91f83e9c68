// `config.route.v3.CookieMatcher`.

import type { CookieMatcher } from '../../config/matcher.ts';
import { toByteString } from '../format/byte-string.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestCookies } from './request-cookies.ts';
import { compileStringMatcher, type StringPredicate } from './string-matcher.ts';

export class CompiledCookieMatcher {
  readonly config: CookieMatcher;
  readonly #name: string;
  readonly #predicate: StringPredicate;
  readonly #cookies: RequestCookies;

  /** Asks `cookies`, who are told of each request that is to be matched. */
  constructor(config: CookieMatcher, cookies: RequestCookies) {
    this.config = config;
    this.#name = toByteString(config.name);
    this.#predicate = compileStringMatcher(config.matcher);
    this.#cookies = cookies;
    cookies.want(this.#name);
  }

  matches(headers: HeaderTable): boolean {
    const value = this.#cookies.get(headers, this.#name);
    return (value !== undefined && this.#predicate(value)) !== this.config.invert;
  }
}
