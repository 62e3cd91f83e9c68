// What workers tell the main thread about tracing. Plain data: it is structured-cloned.

import type { TraceProvider } from '../../config/tracing.ts';

export type TracingMessage =
  /** Once, before the first of the others. */
  | { readonly kind: 'sampling-memory'; readonly memory: SharedArrayBuffer }
  /** A slot of the memory has an owner, a new one perhaps. */
  | { readonly kind: 'sampling-key'; readonly slot: number; readonly key: SamplingKey }
  /** Records speak of it by its index. */
  | { readonly kind: 'trace-provider'; readonly index: number; readonly provider: TraceProvider }
  /**
   * Records as `span-record.ts` lays them out, in a buffer of their own. Each batch is answered with `spans-taken`: while
   * too many are not, the worker drops its newest.
   */
  | { readonly kind: 'spans'; readonly bytes: Uint8Array<ArrayBuffer>; readonly count: number };

/** What thresholds are set for. */
export interface SamplingKey {
  /** The destination service of the cluster; empty where no cluster was chosen. */
  readonly service: string;
  /** The name of the route, else the text of its path matcher: a template, never the path of a request. */
  readonly route: string;
  readonly method: string;
  /** The rule of the settings with `headers` that the requests of this key match; -1 for none. */
  readonly headerRule: number;
}
