// Which redirects of endpoints a route follows itself, compiled.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/http_connection_management#internal-redirects

import type { InternalRedirectPolicy, InternalRedirectPredicate } from '../../config/route.ts';
import { type HeaderName, headerName } from '../http/header-name.ts';

/** What one request remembers from redirect to redirect. */
export class FollowedRedirects {
  count = 0;
  /** While a response is logged that the client does not get. */
  isLeaving = false;
  /** By the name of the route that was left: the names of those that were gone to. */
  readonly targets = new Map<string, Set<string>>();
}

/** From where to where a redirect would go. */
export interface RedirectStep {
  /** Names of routes. */
  readonly from: string;
  readonly to: string;
  /** Neither the request nor its connection is in clear text. */
  readonly isFromHttps: boolean;
  readonly isToHttps: boolean;
}

type Predicate = (step: RedirectStep, followed: FollowedRedirects) => boolean;

export class CompiledInternalRedirect {
  readonly maxRedirects: number;
  readonly allowsCrossScheme: boolean;
  readonly headersToCopy: readonly HeaderName[];
  readonly #statuses: readonly number[];
  readonly #predicates: readonly Predicate[];

  constructor(policy: InternalRedirectPolicy) {
    this.maxRedirects = policy.maxRedirects;
    this.allowsCrossScheme = policy.allowCrossScheme;
    this.headersToCopy = policy.headersToCopy.map(headerName);
    this.#statuses = policy.statuses;
    this.#predicates = policy.predicates.map(compilePredicate);
  }

  follows(status: number): boolean {
    return this.#statuses.includes(status);
  }

  /** What is asked is remembered as gone to, as in Envoy, even where a later predicate says no. */
  accepts(step: RedirectStep, followed: FollowedRedirects): boolean {
    for (let index = 0; index < this.#predicates.length; index++) {
      if (!this.#predicates[index]!(step, followed)) return false;
    }
    return true;
  }
}

function compilePredicate(predicate: InternalRedirectPredicate): Predicate {
  switch (predicate.kind) {
    case 'allow-listed-routes': {
      const names = new Set(predicate.names);
      return ({ to }) => names.has(to);
    }
    case 'previous-routes':
      return isNew;
    case 'safe-cross-scheme':
      return ({ isFromHttps, isToHttps }) => isFromHttps || !isToHttps;
  }
}

function isNew({ from, to }: RedirectStep, { targets }: FollowedRedirects): boolean {
  let gone = targets.get(from);
  if (gone === undefined) {
    gone = new Set();
    targets.set(from, gone);
  }
  if (gone.has(to)) return false;
  gone.add(to);
  return true;
}
