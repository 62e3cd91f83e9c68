// What workers tell the main thread about tracing. Plain data: it is structured-cloned.

import type { TraceProvider } from '../../config/tracing.ts';
import type { SamplingKey } from '../../sampler/key-table.ts';

export type TracingMessage =
  /** Once, before the first of the others. */
  | { readonly kind: 'sampling-memory'; readonly memory: SharedArrayBuffer }
  /** A slot of the memory has another owner, or none. Slot 0 is everybody's who has no slot of his own. */
  | { readonly kind: 'sampling-key'; readonly slot: number; readonly key: SamplingKey | null }
  /** Records speak of it by its index. */
  | { readonly kind: 'trace-provider'; readonly index: number; readonly provider: TraceProvider }
  /**
   * Records as `span-record.ts` lays them out, in a buffer of their own. Each batch is answered with `spans-taken`: while
   * too many are not, the worker drops its newest.
   */
  | { readonly kind: 'spans'; readonly bytes: Uint8Array<ArrayBuffer>; readonly count: number };
