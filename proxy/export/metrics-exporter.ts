// Sends metrics to one collector, again and again: what the budget of series shows of the store.
//
// An export that is still on its way when the next is due is not joined by another: counts do not get lost by waiting. What
// did not arrive is in the next one, of deltas too.

import type { StatsSink } from '../../config/bootstrap.ts';
import type { Exemplars } from '../telemetry/exemplars.ts';
import type { HistogramBuckets } from '../telemetry/histogram-text.ts';
import { requestStats } from '../telemetry/request-stats.ts';
import type { SeriesBudget } from '../telemetry/series-budget.ts';
import { SeriesMemory } from './metrics-points.ts';
import { metricsRequests, type RequestFacts } from './metrics-request.ts';
import { textField } from './protobuf-field.ts';
import type { Sender } from './sender.ts';

export interface MetricsExporterOptions {
  readonly sink: StatsSink;
  readonly budget: Pick<SeriesBudget, 'groups'>;
  readonly exemplars: Pick<Exemplars, 'of'>;
  readonly buckets: HistogramBuckets;
  readonly sender: Sender;
  /** The bytes of a `Resource`. */
  readonly resource: Uint8Array;
  readonly version: string;
  /** When counting began, milliseconds since 1970. */
  readonly beganAtWallMs: number;
  readonly wallClock: () => number;
  /** Brings up to date what is not counted as it happens. */
  readonly refreshStats: () => void;
  readonly onWarning: (text: string) => void;
}

export class MetricsExporter {
  readonly #options: MetricsExporterOptions;
  readonly #memory: SeriesMemory;
  readonly #scope: Uint8Array;
  #sending: Promise<void> | null = null;
  #isFailing = false;
  /** Of an export that arrived in part: the whole of it, sent again, would count twice in deltas. */
  #rest: readonly Uint8Array[] = [];

  constructor(options: MetricsExporterOptions) {
    const { sink, buckets, beganAtWallMs, version } = options;
    this.#options = options;
    this.#memory = new SeriesMemory({ ...sink, buckets }, beganAtWallMs);
    this.#scope = Buffer.concat([textField(1, 'outrigger'), textField(2, version)]);
  }

  /** Sends what is counted now, unless it still sends what was. Never rejects; resolves when it has ended. */
  export(): Promise<void> {
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  /** Sends once more what was counted since the last export; what is not taken within `withinMs` is given up. */
  async close(withinMs: number): Promise<void> {
    const { sender } = this.#options;
    const giveUp = setTimeout(() => sender.close(), withinMs);
    await this.#sending;
    await this.export();
    clearTimeout(giveUp);
    sender.close();
  }

  async #send(): Promise<void> {
    if (this.#rest.length > 0 && !(await this.#deliverRest())) return;
    const { sink, budget, exemplars, resource, wallClock, refreshStats } = this.#options;
    refreshStats();
    const wallMs = wallClock();
    const metrics = this.#memory.take(budget.groups(), wallMs);
    const facts: RequestFacts = {
      resource,
      scope: this.#scope,
      wallMs,
      exemplarsOf: ({ scope, names }) => (scope.template === requestStats.scope.template ? exemplars.of(names) : []),
    };
    const requests = [...metricsRequests(metrics, sink, facts)];
    const arrived = await this.#deliver(requests, false);
    if (arrived === 0 && requests.length > 0) return;
    this.#memory.commit();
    this.#rest = requests.slice(arrived);
    if (this.#rest.length === 0) this.#isFailing = false;
  }

  /** False when it is still not there. What is refused never will be. */
  async #deliverRest(): Promise<boolean> {
    this.#rest = this.#rest.slice(await this.#deliver(this.#rest, true));
    return this.#rest.length === 0;
  }

  /** Returns how many were sent, one after the other, before one was not. */
  async #deliver(requests: readonly Uint8Array[], passesRefused: boolean): Promise<number> {
    for (const [index, request] of requests.entries()) {
      const outcome = await this.#options.sender.send(request);
      if (outcome.kind === 'sent') continue;
      this.#warn(outcome.reason);
      if (!passesRefused || outcome.kind !== 'refused') return index;
    }
    return requests.length;
  }

  // Once, until it works again.
  #warn(reason: string): void {
    if (!this.#isFailing) {
      this.#options.onWarning(`metrics cannot be sent to ${this.#options.sink.service.cluster}: ${reason}`);
    }
    this.#isFailing = true;
  }
}
