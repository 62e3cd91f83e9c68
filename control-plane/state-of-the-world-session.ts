// A client of the older protocol: each request has all names of the type, and of clusters and listeners each response has
// all resources.
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#basic-protocol-overview

import { wildcard } from '../xds/client/discovery.ts';
import {
  readStateOfTheWorldRequest,
  type StateOfTheWorldRequest,
  writeStateOfTheWorldResponse,
} from './discovery-message.ts';
import type { DiscoverySession, RequestOutcome, SessionOptions } from './discovery-session.ts';
import type { ServedResource, ServedResources, ServedSnapshot } from './served-snapshot.ts';
import { servedType } from './served-type.ts';
import { SessionTypes } from './session-types.ts';
import type { SubscriptionStatus, TypeSubscription } from './type-subscription.ts';

export class StateOfTheWorldSession implements DiscoverySession {
  readonly protocol = 'state-of-the-world';
  readonly #options: SessionOptions;
  readonly #types = new SessionTypes();
  /** What a client that comes back says it accepted last, until its first response is due. */
  readonly #claimed = new Map<TypeSubscription, string>();
  #nonce = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  onRequest(message: Uint8Array): RequestOutcome {
    const request = readStateOfTheWorldRequest(message);
    if (request === undefined) return { kind: 'failed', code: 'INVALID_ARGUMENT', reason: 'not a DiscoveryRequest' };
    const typeUrl = this.#options.typeUrl ?? request.typeUrl;
    if (typeUrl === '') return { kind: 'failed', code: 'INVALID_ARGUMENT', reason: 'a request without type_url' };
    const known = this.#types.get(typeUrl);
    const type = known ?? this.#begin(typeUrl, request);
    // Requests of a stream are in order and have all names, so the newest is right even with the nonce of an older response.
    setNames(type, request.names, known === undefined);
    return this.#types.finish(type, request, this.#options.clock());
  }

  next(snapshot: ServedSnapshot): Buffer | undefined {
    for (const type of this.#types.inOrder) {
      const resources = type.takeChange(snapshot);
      if (resources === undefined) continue;
      const wanted = wantedResources(type, resources);
      if (this.#claims(type, resources)) {
        for (const { name, version } of wanted) type.held.set(name, version);
        type.wasAnswered = true;
        continue;
      }
      const changed = wanted.filter(({ name, version }) => type.held.get(name) !== version);
      const sent = dueResources(type, wanted, changed);
      for (const name of type.held.keys()) if (!resources.byName.has(name)) type.held.delete(name);
      if (sent === undefined) continue;
      for (const { name, version } of sent) type.held.set(name, version);
      this.#types.resendAssignments(changed.map(({ references }) => references.assignment));
      const nonce = String(++this.#nonce);
      type.onSent(nonce, resources.version);
      const { typeUrl } = type;
      return writeStateOfTheWorldResponse({ typeUrl, version: resources.version, nonce, resources: sent });
    }
    return undefined;
  }

  status(): readonly SubscriptionStatus[] {
    return this.#types.status();
  }

  #begin(typeUrl: string, request: StateOfTheWorldRequest): TypeSubscription {
    const type = this.#types.begin(typeUrl);
    if (request.version !== '') this.#claimed.set(type, request.version);
    return type;
  }

  /** A version of all resources says what the client has only when it subscribed to all. */
  #claims(type: TypeSubscription, { version }: ServedResources): boolean {
    const claimed = this.#claimed.get(type);
    this.#claimed.delete(type);
    return claimed === version && type.isWildcard;
  }
}

/** No name at all is everything in the first request of a type, and nothing once there were names. */
function setNames(type: TypeSubscription, names: readonly string[], isFirst: boolean): void {
  const wasWildcard = type.isWildcard;
  const hadNames = type.names.size > 0;
  const isLegacyWildcard = names.length === 0 && (isFirst || (wasWildcard && !hadNames));
  type.isWildcard = isLegacyWildcard || names.includes(wildcard);
  let isChanged = isFirst || type.isWildcard !== wasWildcard;
  const wanted = new Set(names);
  wanted.delete(wildcard);
  for (const name of type.names) {
    if (wanted.has(name)) continue;
    isChanged = true;
    type.names.delete(name);
    if (!type.isWildcard) type.held.delete(name);
  }
  for (const name of wanted) {
    if (type.names.has(name)) continue;
    isChanged = true;
    type.names.add(name);
  }
  if (isChanged) type.markChanged();
}

function wantedResources(type: TypeSubscription, { byName }: ServedResources): readonly ServedResource[] {
  if (type.isWildcard) return [...byName.values()];
  return [...type.names].map((name) => byName.get(name)).filter((resource) => resource !== undefined);
}

/** Undefined when no response is due. */
function dueResources(
  type: TypeSubscription,
  wanted: readonly ServedResource[],
  changed: readonly ServedResource[],
): readonly ServedResource[] | undefined {
  const isWhole = servedType(type.typeUrl)?.isWhole === true;
  if (!isWhole) return changed.length > 0 || (type.isWildcard && !type.wasAnswered) ? changed : undefined;
  const names = new Set(wanted.map(({ name }) => name));
  const isLess = [...type.held.keys()].some((name) => !names.has(name));
  return changed.length > 0 || isLess || !type.wasAnswered ? wanted : undefined;
}
