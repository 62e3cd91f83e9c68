// Headers that are added and removed (`config.core.v3.HeaderValueOption`).

import type { Problems } from '../../config/problems.ts';
import type { HeaderAddition, HeaderMutations } from '../../config/route.ts';
import type { HeaderValueOption } from '../generated/messages.ts';
import { checkedFormat } from './log-format.ts';

/** The four lists that a route configuration, virtual host, route and weighted cluster have. */
export interface HeaderMutationFields {
  readonly requestHeadersToAdd?: readonly HeaderValueOption[];
  readonly requestHeadersToRemove?: readonly string[];
  readonly responseHeadersToAdd?: readonly HeaderValueOption[];
  readonly responseHeadersToRemove?: readonly string[];
}

const noMutations: HeaderMutations = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };

export function decodeHeaderMutations(message: HeaderMutationFields, problems: Problems): HeaderMutations {
  if (mutatesNothing(message)) return noMutations;
  return {
    requestAdd: decodeHeaderAdditions(message.requestHeadersToAdd, problems.at('request_headers_to_add')),
    requestRemove: decodeRemovals(message.requestHeadersToRemove, problems.at('request_headers_to_remove')),
    responseAdd: decodeHeaderAdditions(message.responseHeadersToAdd, problems.at('response_headers_to_add')),
    responseRemove: decodeRemovals(message.responseHeadersToRemove, problems.at('response_headers_to_remove')),
  };
}

function mutatesNothing(message: HeaderMutationFields): boolean {
  return (
    message.requestHeadersToAdd === undefined &&
    message.requestHeadersToRemove === undefined &&
    message.responseHeadersToAdd === undefined &&
    message.responseHeadersToRemove === undefined
  );
}

export function decodeHeaderAdditions(
  messages: readonly HeaderValueOption[] | undefined,
  problems: Problems,
): readonly HeaderAddition[] {
  const additions: HeaderAddition[] = [];
  for (const [index, message] of (messages ?? []).entries()) {
    const addition = decodeHeaderAddition(message, problems.item(index));
    if (addition !== undefined) additions.push(addition);
  }
  return additions;
}

const actions = {
  APPEND_IF_EXISTS_OR_ADD: 'append',
  ADD_IF_ABSENT: 'add-if-absent',
  OVERWRITE_IF_EXISTS_OR_ADD: 'overwrite',
  OVERWRITE_IF_EXISTS: 'overwrite-if-exists',
} as const;

function decodeHeaderAddition(message: HeaderValueOption, problems: Problems): HeaderAddition | undefined {
  const name = message.header?.key;
  if (name === undefined) return undefined;
  checkModifiable(name, problems.at('header').at('key'));
  if (message.append !== undefined && message.appendAction !== undefined) {
    problems.at('append').add('append and append_action may not both be set; write append_action');
  }
  const value = checkedFormat(message.header?.value ?? '', problems.at('header').at('value'));
  const action = message.append === false ? 'overwrite' : actions[message.appendAction ?? 'APPEND_IF_EXISTS_OR_ADD'];
  return { name, value, action, keepEmptyValue: message.keepEmptyValue ?? false };
}

function decodeRemovals(names: readonly string[] | undefined, problems: Problems): readonly string[] {
  for (const [index, name] of (names ?? []).entries()) checkModifiable(name, problems.item(index));
  return names ?? [];
}

/**
 * Pseudo-headers and host are Envoy's rule: what routing decides on is changed by rewrites only. The others frame the
 * message or belong to one connection; Envoy lets them through and then overwrites, doubles or trusts them.
 */
export function checkModifiable(name: string, problems: Problems): void {
  const lower = name.toLowerCase();
  if (lower.startsWith(':') || lower === 'host') {
    problems.add(`${name} may not be modified; use a path or host rewrite`);
  } else if (framing.has(lower)) {
    problems.unsupported(`modifying ${name}`, 'it belongs to the connection and its framing');
  }
}

/** RFC 9112 section 6, RFC 9110 section 7.6.1. */
const framing: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
