// The upstreams of the command line, as sources over gRPC.

import type { SourceStatus } from '../config/dynamic-state.ts';
import type { Schedule } from '../xds/client/discovery.ts';
import { makeGrpcTransport } from '../xds/client/grpc-transport.ts';
import type { ControlPlaneFlags } from './flags.ts';
import type { SourceStatement } from './resource-union.ts';
import { UpstreamSource } from './upstream-source.ts';

export interface UpstreamSourcesOptions {
  readonly flags: ControlPlaneFlags;
  /** Of this run alone. */
  readonly origin: string;
  readonly log: (line: string) => void;
  readonly onChange: () => void;
}

const method = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

export class UpstreamSources {
  readonly #sources: readonly UpstreamSource[];
  readonly #origin: string;
  readonly #log: (line: string) => void;
  #isLoopTold = false;

  constructor({ flags, origin, log, onChange }: UpstreamSourcesOptions) {
    this.#origin = origin;
    this.#log = log;
    this.#sources = flags.upstreams.map(({ name, address }) => {
      const target = { kind: 'uri', uri: address, credentials: flags.upstreamCredentials } as const;
      return new UpstreamSource({
        name,
        nodeId: flags.nodeId,
        origin: `${origin}/${name}`,
        transport: makeGrpcTransport({ service: { target, initialMetadata: [] }, clusters: new Map(), method }),
        timeToLiveMs: flags.sourceTtlMs,
        clock: Date.now,
        random: Math.random,
        schedule: afterMs,
        defer: setImmediate,
        log: (level, text, { source, upstream, ...facts }) => {
          if (level !== 'debug') log(`upstream ${name}: ${text}${factsText(facts)}`);
        },
        onChange: () => {
          this.#tellOfLoop();
          onChange();
        },
      });
    });
  }

  /** Whether each of them answered, or had its time. */
  get isReady(): boolean {
    return !this.#sources.some((source) => source.isAwaited);
  }

  start(): void {
    for (const source of this.#sources) source.start();
  }

  stop(): void {
    for (const source of this.#sources) source.stop();
  }

  statements(): readonly SourceStatement[] {
    return this.#sources.map((source) => source.statement());
  }

  statuses(): readonly SourceStatus[] {
    return this.#sources.map((source) => source.status());
  }

  /** It does no harm, but whoever wrote the address meant another one. */
  #tellOfLoop(): void {
    const itself = this.#sources.find(({ servedBy }) => servedBy === this.#origin);
    if (itself === undefined || this.#isLoopTold) return;
    this.#isLoopTold = true;
    this.#log(`upstream ${itself.name}: its address leads to this control plane itself; correct it, or leave it out`);
  }
}

/** ` (waitMs: 200, reason: …)` for people. */
function factsText(facts: { readonly [fact: string]: string | number }): string {
  const texts = Object.entries(facts).map(([name, value]) => `${name}: ${value}`);
  return texts.length === 0 ? '' : ` (${texts.join(', ')})`;
}

const afterMs: Schedule = (delayMs, callback) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};
