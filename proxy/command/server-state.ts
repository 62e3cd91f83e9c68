// Where the process stands: what it was started with, what it serves, whether it is ready or leaving.

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Bootstrap } from '../../config/bootstrap.ts';
import { placesOfInlineSecrets } from '../../config/inline-secrets.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { bootstrapType } from '../../xds/bootstrap-file.ts';
import { withProtoNames } from '../../xds/document/proto-names.ts';
import { CertificateWatch } from '../tls/certificate-watch.ts';
import type { BoundListener } from '../worker/messages.ts';

export type Phase =
  /** Workers have not confirmed the first snapshot. */
  | { readonly kind: 'initializing' }
  | { readonly kind: 'live' }
  /** `reason` is what those are told who ask whether the process is ready; nothing when it is empty. */
  | { readonly kind: 'draining'; readonly reason: string };

/** Where a process comes from, when others were before it (hot restart). */
export interface Ancestry {
  /** `disabled` without. */
  readonly hotRestartVersion: string;
  /** Of the first process of all, milliseconds since the epoch. */
  readonly firstStartedAtMs: number;
  /** 1 for the first. */
  readonly generation: number;
  /** What the process before this one has still open. */
  readonly parentConnections: number;
}

export interface ServerStateOptions {
  readonly concurrency: number;
  readonly restartEpoch: number;
  readonly version: string;
  /** Milliseconds since 1970; the system's when left out. */
  readonly wallClock?: () => number;
  /** `/healthcheck/fail` and `/healthcheck/ok` change more than what `/ready` says. */
  readonly onFailsHealthCheck?: (fails: boolean) => void;
}

export class ServerState {
  readonly options: ServerStateOptions;
  readonly startedAtMs = performance.timeOrigin;
  /** Those of the secrets that are served. */
  readonly certificates: CertificateWatch;
  #phase: Phase = { kind: 'initializing' };
  #failsHealthCheck = false;
  #bootstrap: Bootstrap | null = null;
  #snapshot: Snapshot | null = null;
  #document: () => unknown = () => null;
  #listeners: readonly BoundListener[] = [];
  #drained: (() => void) | null = null;
  #ancestry: Ancestry;

  constructor(options: ServerStateOptions) {
    this.options = options;
    this.certificates = new CertificateWatch(options.wallClock ?? Date.now);
    const firstStartedAtMs = this.startedAtMs;
    this.#ancestry = { hotRestartVersion: 'disabled', firstStartedAtMs, generation: 1, parentConnections: 0 };
  }

  setAncestry(ancestry: Ancestry): void {
    this.#ancestry = ancestry;
  }

  get ancestry(): Ancestry {
    return this.#ancestry;
  }

  setBootstrap(bootstrap: Bootstrap, document: unknown): void {
    this.#bootstrap = bootstrap;
    this.#document = () => document;
  }

  /**
   * Keeps the document as compressed JSON from now on: the tree of 10,000 clusters takes 18 MB, for a dump that may
   * never be asked for.
   */
  compactDocument(): void {
    const packed = deflateRawSync(JSON.stringify(this.#document()), { level: 1 });
    this.#document = () => JSON.parse(inflateRawSync(packed).toString());
  }

  setSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.certificates.follow(snapshot.secrets, () => placesOfInlineSecrets(snapshot));
  }

  /** Of the wall clock. */
  get nowMs(): number {
    return (this.options.wallClock ?? Date.now)();
  }

  get bootstrap(): Bootstrap | null {
    return this.#bootstrap;
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** The file as it was read, for `/config_dump`, with the names of the proto files. */
  get document(): unknown {
    return withProtoNames(this.#document(), bootstrapType);
  }

  /** Addresses with the ports that the kernel gave. */
  get listeners(): readonly BoundListener[] {
    return this.#listeners;
  }

  onApplied(_generation: number, listeners: readonly BoundListener[]): void {
    this.#listeners = listeners;
    if (this.#phase.kind === 'initializing') this.#phase = { kind: 'live' };
  }

  /** `onDrained` is called once, when no connection is left. */
  startDraining(onDrained: () => void, reason = ''): void {
    this.#phase = { kind: 'draining', reason };
    this.#drained = onDrained;
  }

  onDrained(): void {
    const drained = this.#drained;
    this.#drained = null;
    drained?.();
  }

  /** `/healthcheck/fail` and `/ok`. */
  setFailsHealthCheck(fails: boolean): void {
    this.#failsHealthCheck = fails;
    this.options.onFailsHealthCheck?.(fails);
  }

  /** Why the process drains; empty where nobody said so. */
  get drainReason(): string {
    return this.#phase.kind === 'draining' ? this.#phase.reason : '';
  }

  /** Envoy's words: LIVE, DRAINING, PRE_INITIALIZING, INITIALIZING. */
  get name(): 'LIVE' | 'DRAINING' | 'INITIALIZING' {
    if (this.#phase.kind === 'draining' || this.#failsHealthCheck) return 'DRAINING';
    return this.#phase.kind === 'live' ? 'LIVE' : 'INITIALIZING';
  }
}
