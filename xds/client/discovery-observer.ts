// What is told of discovery to who counts it: attempts, outcomes and failures, by type and name.

import type { SourceStatus } from '../../config/dynamic-state.ts';
import type { RefusedResource } from './discovery.ts';

/** A name is `wildcard` where everything of a type is meant. */
export interface DiscoveryObserver {
  onConnection?(connection: SourceStatus['connection']): void;
  /** A stream of this source ended or could not be opened, or its file could not be read. */
  onFailure?(source: string): void;
  onSubscribe?(typeUrl: string, name: string): void;
  onUnsubscribe?(typeUrl: string, name: string): void;
  onResponse?(response: ObservedResponse): void;
  /** It did not come within its initial fetch timeout. */
  onFetchTimeout?(typeUrl: string, name: string): void;
}

export interface ObservedResponse {
  readonly typeUrl: string;
  readonly version: string;
  /** All that was in it, with those that were refused. */
  readonly names: Iterable<string>;
  /** What it said to be gone. */
  readonly removed: readonly string[];
  /** Everything of the type is subscribed to. */
  readonly isWhole: boolean;
  /** It has something that is subscribed to by its own name. */
  readonly hasNamed: boolean;
  /** None of an acknowledged response. */
  readonly refused: readonly RefusedResource[];
  readonly bytes: number;
  readonly applyMs: number;
}
