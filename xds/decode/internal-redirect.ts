// Redirects that are followed in place of the client (`config.route.v3.InternalRedirectPolicy`).

import type { Problems } from '../../config/problems.ts';
import type { InternalRedirectPolicy, InternalRedirectPredicate } from '../../config/route.ts';
import type {
  AllowListedRoutesConfig,
  InternalRedirectPolicy as PolicyMessage,
  TypedExtensionConfig,
} from '../generated/messages.ts';
import { extensionType } from './extension.ts';
import { checkModifiable } from './header-mutation.ts';

const extensions = 'envoy.extensions.internal_redirect';
const allowListedRoutes = `${extensions}.allow_listed_routes.v3.AllowListedRoutesConfig`;
const previousRoutes = `${extensions}.previous_routes.v3.PreviousRoutesConfig`;
const safeCrossScheme = `${extensions}.safe_cross_scheme.v3.SafeCrossSchemeConfig`;
const predicate = {
  what: 'internal redirect predicate',
  known: [allowListedRoutes, previousRoutes, safeCrossScheme],
} as const;

/** Others may be named and are never followed, as in Envoy. */
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function decodeInternalRedirect(message: PolicyMessage, problems: Problems): InternalRedirectPolicy {
  const codes = message.redirectResponseCodes ?? [];
  return {
    maxRedirects: message.maxInternalRedirects ?? 1,
    statuses: codes.length === 0 ? [302] : codes.filter((code) => redirectStatuses.has(code)),
    predicates: decodePredicates(message.predicates ?? [], problems.at('predicates')),
    allowCrossScheme: message.allowCrossSchemeRedirect ?? false,
    headersToCopy: decodeNames(message.responseHeadersToCopy ?? [], problems.at('response_headers_to_copy')),
  };
}

function decodeNames(names: readonly string[], problems: Problems): readonly string[] {
  for (const [index, name] of names.entries()) checkModifiable(name, problems.item(index));
  return names.map((name) => name.toLowerCase());
}

function decodePredicates(
  messages: readonly TypedExtensionConfig[],
  problems: Problems,
): readonly InternalRedirectPredicate[] {
  const predicates: InternalRedirectPredicate[] = [];
  for (const [index, message] of messages.entries()) {
    switch (extensionType(message, predicate, problems.item(index))) {
      case allowListedRoutes: {
        const { allowedRouteNames = [] } = message.typedConfig!.message as AllowListedRoutesConfig;
        predicates.push({ kind: 'allow-listed-routes', names: allowedRouteNames });
        break;
      }
      case previousRoutes:
        predicates.push({ kind: 'previous-routes' });
        break;
      case safeCrossScheme:
        predicates.push({ kind: 'safe-cross-scheme' });
        break;
      case undefined:
    }
  }
  return predicates;
}
