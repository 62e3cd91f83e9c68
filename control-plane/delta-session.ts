// A client of the incremental protocol: it says what it has and which names it wants, and gets what is new to it.
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds

import { wildcard } from '../xds/client/discovery.ts';
import { type DeltaRequest, readDeltaRequest, type SentResource, writeDeltaResponse } from './discovery-message.ts';
import type { DiscoverySession, RequestOutcome, SessionOptions } from './discovery-session.ts';
import type { ServedResource, ServedResources, ServedSnapshot } from './served-snapshot.ts';
import { SessionTypes } from './session-types.ts';
import { statedVersion, statedWholeVersion, vectorFeature } from './stated-version.ts';
import type { SubscriptionStatus, TypeSubscription } from './type-subscription.ts';
import { compareVectors, emptyVector } from './version-vector.ts';

export class DeltaSession implements DiscoverySession {
  readonly protocol = 'delta';
  readonly #options: SessionOptions;
  readonly #types = new SessionTypes();
  #nonce = 0;
  /** This client is a control plane that reads changes in versions. */
  #readsChanges = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  onRequest(message: Uint8Array): RequestOutcome {
    const request = readDeltaRequest(message);
    if (request === undefined)
      return { kind: 'failed', code: 'INVALID_ARGUMENT', reason: 'not a DeltaDiscoveryRequest' };
    const typeUrl = this.#options.typeUrl ?? request.typeUrl;
    if (typeUrl === '') return { kind: 'failed', code: 'INVALID_ARGUMENT', reason: 'a request without type_url' };
    const type = this.#types.get(typeUrl) ?? this.#begin(typeUrl, request);
    if (request.subscribe.length > 0 || request.unsubscribe.length > 0) changeSubscription(type, request);
    const outcome = this.#types.finish(type, request, this.#options.clock());
    if (outcome.kind === 'taken' && outcome.node?.clientFeatures.includes(vectorFeature)) this.#readsChanges = true;
    return outcome;
  }

  next(snapshot: ServedSnapshot): Buffer | undefined {
    for (const type of this.#types.inOrder) {
      const resources = type.takeChange(snapshot);
      if (resources === undefined) continue;
      const changed = this.#changedResources(type, resources);
      const removed = removedNames(type, resources);
      type.unanswered.clear();
      if (changed.length === 0 && removed.length === 0 && !this.#isAnswerDue(type, resources)) continue;
      for (const { name, version } of changed) type.held.set(name, version);
      for (const name of removed) type.held.delete(name);
      this.#types.resendAssignments(changed.map(({ name }) => resources.byName.get(name)?.references.assignment));
      const nonce = String(++this.#nonce);
      const version = this.#wholeVersion(resources);
      type.onSent(nonce, version);
      type.toldHops = resources.hops;
      return writeDeltaResponse({ typeUrl: type.typeUrl, version, nonce, resources: changed, removed });
    }
    return undefined;
  }

  /**
   * Without any resource. A wildcard that matches nothing is answered: the client waits for it at its start. A control plane
   * is answered once whatever it asked for, since who answered before may have been another run, and when origins are nearer
   * or further away than it was told. What was seen of them alone is told with the next answer.
   */
  #isAnswerDue({ isWildcard, names, wasAnswered, toldHops }: TypeSubscription, { hops }: ServedResources): boolean {
    if (!this.#readsChanges) return isWildcard && !wasAnswered;
    return (isWildcard || names.size > 0) && (!wasAnswered || compareVectors(toldHops, hops) !== 'equal');
  }

  #version({ version, changes = emptyVector, shares }: ServedResource): string {
    return this.#readsChanges ? statedVersion(version, changes, shares) : version;
  }

  #wholeVersion(resources: ServedResources): string {
    return this.#readsChanges ? statedWholeVersion(resources) : resources.version;
  }

  status(): readonly SubscriptionStatus[] {
    return this.#types.status();
  }

  /** The first request of a type on this stream: what the client brings from an earlier one counts, nonces do not. */
  #begin(typeUrl: string, request: DeltaRequest): TypeSubscription {
    const type = this.#types.begin(typeUrl);
    // The form from before `*` existed.
    type.isWildcard = request.subscribe.length === 0 && request.unsubscribe.length === 0;
    for (const name of request.subscribe) if (!request.held.has(name)) type.unanswered.add(name);
    for (const [name, version] of request.held) type.held.set(name, version);
    return type;
  }

  #changedResources(type: TypeSubscription, { byName }: ServedResources): readonly SentResource[] {
    const changed: SentResource[] = [];
    for (const name of type.isWildcard ? byName.keys() : type.names) {
      const resource = byName.get(name);
      if (resource === undefined) continue;
      const version = this.#version(resource);
      if (type.held.get(name) !== version) changed.push({ name, version, message: resource.message });
    }
    return changed;
  }
}

/**
 * A name that is subscribed to again is sent again: the client may have let go of it. So is one that only `*` still
 * covers: whether it does, the client cannot know.
 */
function changeSubscription(type: TypeSubscription, request: DeltaRequest): void {
  for (const name of request.subscribe) {
    if (name === wildcard) type.isWildcard = true;
    else {
      type.names.add(name);
      if (request.held.has(name)) continue;
      type.held.delete(name);
      type.unanswered.add(name);
    }
  }
  for (const name of request.unsubscribe) {
    if (name === wildcard) stopWildcard(type);
    else if (type.names.delete(name)) {
      type.held.delete(name);
      if (type.isWildcard) type.unanswered.add(name);
      else type.unanswered.delete(name);
    }
  }
  type.markChanged();
}

function stopWildcard(type: TypeSubscription): void {
  type.isWildcard = false;
  for (const name of type.held.keys()) if (!type.names.has(name)) type.held.delete(name);
}

function removedNames(type: TypeSubscription, { byName }: ServedResources): readonly string[] {
  const removed: string[] = [];
  for (const name of type.held.keys()) if (!byName.has(name)) removed.push(name);
  for (const name of type.unanswered)
    if (!byName.has(name) && name !== wildcard && !type.held.has(name)) removed.push(name);
  return removed;
}
