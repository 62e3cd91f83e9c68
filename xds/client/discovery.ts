// What a stream of configuration and the users of its resources say to each other. A stream knows nothing of the types:
// it carries bytes, names and versions, and answers the control plane by what its consumers say.
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol

import type { Problem } from '../../config/problems.ts';

/** The name that subscribes to everything there is. */
export const wildcard = '*';

export interface ResourceType {
  /** `type.googleapis.com/` and the message's full name. */
  readonly typeUrl: string;
  /** `cds`, `eds` … as in the names of statistics. */
  readonly shortName: string;
  /**
   * Name of a resource by its message's bytes; state-of-the-world responses do not say it elsewhere. Empty when the
   * bytes have none or are no message: it never throws.
   */
  readonly nameOf: (message: Uint8Array) => string;
  /** No other type refers to it, nor it to others: its responses need not wait for theirs, nor those for it. */
  readonly isApart?: true;
}

/** One response, in the order of the wire. */
export interface DiscoveryUpdate {
  /** `system_version_info`, or `version_info` of a state-of-the-world response. */
  readonly version: string;
  readonly resources: readonly ReceivedResource[];
  /** Names that are not there any more. A state-of-the-world stream works them out for types whose responses are whole. */
  readonly removed: readonly string[];
}

export interface ReceivedResource {
  readonly name: string;
  readonly version: string;
  readonly aliases: readonly string[];
  /** After this the resource is gone unless it is renewed; undefined is for ever. */
  readonly ttlMs?: number;
  /**
   * The message's bytes, a view of the response that is copied by who keeps it. Undefined is a heartbeat: what is held
   * lives on for another `ttlMs`.
   */
  readonly message: Uint8Array | undefined;
}

/** A resource that is not decoded yet. */
export interface NamedMessage {
  readonly name: string;
  /** The very view that `onUpdate` is given. */
  readonly message: Uint8Array;
}

export interface RefusedResource {
  readonly name: string;
  readonly problems: readonly Problem[];
}

/** Uses the resources of one type from one source. */
export interface ResourceConsumer {
  readonly type: ResourceType;
  /** Exactly what is held, for `initial_resource_versions`: the accepted state of each resource. */
  heldVersions(): Iterable<readonly [name: string, version: string]>;
  /**
   * Decodes ahead what is new of a large response, in steps of a few milliseconds at most; `onUpdate` with the same messages
   * follows. Nobody sees anything of it before. Undefined: there is nothing to do ahead.
   */
  prepare?(resources: Iterable<NamedMessage>): Iterator<unknown> | undefined;
  /** Takes what is right of an update and returns what is not; nothing refused is an ACK. */
  onUpdate(update: DiscoveryUpdate): readonly RefusedResource[];
  /** The same in short steps: nothing else is told of these resources before the last of them. */
  takeOver?(update: DiscoveryUpdate): Generator<unknown, readonly RefusedResource[], void>;
  /**
   * A name that was subscribed to and did not come within its time, or of which the control plane said that it is not
   * there. It may come later. The wildcard, when nothing came at all.
   */
  onAbsent(name: string): void;
}

/** In short steps where the consumer has them, else in one. */
export function* takeOverInSteps(
  consumer: ResourceConsumer,
  update: DiscoveryUpdate,
): Generator<unknown, readonly RefusedResource[], void> {
  return consumer.takeOver === undefined ? consumer.onUpdate(update) : yield* consumer.takeOver(update);
}

/** Calls back once, after `delayMs`, unless what it returns is called before. */
export type Schedule = (delayMs: number, callback: () => void) => () => void;

/** A line for the operator: what happened, and the facts of it. */
export type DiscoveryLog = (
  level: 'debug' | 'info' | 'warning' | 'error',
  text: string,
  facts: { readonly [fact: string]: string | number },
) => void;

/** Subscriptions of one source. Changes of one turn of the event loop travel in one request. */
export interface ResourceSubscriptions {
  /** `name` may be the wildcard. Subscribing twice is subscribing once; a resource that was let go is sent again. */
  subscribe(typeUrl: string, name: string, initialFetchTimeoutMs: number): void;
  unsubscribe(typeUrl: string, name: string): void;
}
