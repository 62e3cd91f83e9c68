// What an operator may ask about configuration that came from a control plane: streams, subscriptions and resources.

import type { OnDemandStatus } from './on-demand.ts';
import type { Problem } from './problems.ts';

/** Answers are made when asked for. */
export interface DynamicState {
  sources(): readonly SourceStatus[];
  /** How many wait for what they need before they serve, or before a newer state of them does. */
  warming(): { readonly clusters: number; readonly listeners: number };
  /** What requests asked for, in no order. Without it nothing is to be had on demand. */
  onDemand?(): readonly OnDemandStatus[];
  /** Resources of one type, refused ones too, in no order. */
  resources(typeUrl: string): readonly ResourceStatus[];
}

export interface SourceStatus {
  /** `ads`, or the type and the place of a source of its own. */
  readonly name: string;
  readonly target: string;
  /** `own`: made in this process, as its identity is. */
  readonly protocol: 'delta' | 'state-of-the-world' | 'file' | 'own';
  readonly connection:
    | { readonly kind: 'connecting' }
    | { readonly kind: 'connected'; readonly sinceMs: number; readonly controlPlane: string }
    | { readonly kind: 'waiting'; readonly untilMs: number; readonly lastError: string };
  readonly types: readonly TypeStatus[];
}

/** Times are milliseconds since 1970. */
export interface TypeStatus {
  readonly typeUrl: string;
  readonly isWildcard: boolean;
  readonly subscribed: readonly string[];
  readonly heldCount: number;
  /** `system_version_info` of the last response. */
  readonly version: string;
  readonly lastAck?: { readonly version: string; readonly atMs: number };
  readonly lastNack?: { readonly version: string; readonly atMs: number; readonly text: string };
  readonly responses: number;
  readonly bytesReceived: number;
  /** Time from the arrival of the last response until it was decoded and taken over. */
  readonly lastApplyMs: number;
}

export interface ResourceStatus {
  readonly name: string;
  /** Empty when the control plane gives none for single resources. */
  readonly version: string;
  readonly lastUpdatedMs: number;
  /** `warming` waits for what it needs; `draining` was removed and is still in use; `refused` never was accepted. */
  readonly state: 'active' | 'warming' | 'draining' | 'refused' | 'absent';
  /** The accepted resource as proto3 JSON with secrets in it: redact before it is shown. Undefined without one. */
  readonly document: () => unknown;
  /** A newer state that was refused, and why; the accepted one is still in use. */
  readonly refused?: {
    readonly version: string;
    readonly atMs: number;
    readonly problems: readonly Problem[];
    readonly document: () => unknown;
  };
}
