// The matchers shared by routes, access-log filters and (later) authorisation.

/** A regular expression in RE2 syntax. It matches the whole value, as `safe_regex` does in Envoy. */
export interface RegexMatcher {
  readonly regex: string;
}

export type StringMatcher =
  | { readonly kind: 'exact'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'prefix'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'suffix'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'contains'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'regex'; readonly regex: string };

/** `config.route.v3.HeaderMatcher`. The name is lower case; pseudo-headers are `:method :path :authority :scheme`. */
export interface HeaderMatcher {
  readonly name: string;
  readonly match: HeaderMatch;
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
}

export type HeaderMatch =
  | { readonly kind: 'present'; readonly present: boolean }
  | { readonly kind: 'string'; readonly matcher: StringMatcher }
  /** Whole base-10 value in [start, end). Kept as doubles: header numbers beyond 2^53 never match. */
  | { readonly kind: 'range'; readonly start: number; readonly end: number };

export interface QueryParameterMatcher {
  readonly name: string;
  readonly match: { readonly kind: 'present' } | { readonly kind: 'string'; readonly matcher: StringMatcher };
}

/** A cookie of this name (case counts) has a value that matches, or with `invert` one that does not. */
export interface CookieMatcher {
  readonly name: string;
  readonly matcher: StringMatcher;
  readonly invert: boolean;
}

/** A share of requests, in Envoy's units; `runtimeKey` names the runtime value that overrides it. */
export interface RuntimeFraction {
  readonly numerator: number;
  readonly denominator: 100 | 10_000 | 1_000_000;
  readonly runtimeKey?: string;
}
