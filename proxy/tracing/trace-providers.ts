// By which number records name their provider: a byte, so that numbers are given again when all are. A connection manager may
// outlive hundreds of others, and its provider the number that it had: who writes a record asks whether it still holds,
// because whoever got the number is another collector, perhaps of another tenant.

import { isDeepStrictEqual } from 'node:util';
import type { TraceProvider } from '../../config/tracing.ts';
import type { TracingMessage } from './tracing-message.ts';

const mostProviders = 256;

export interface TraceProvidersOptions {
  readonly publish: (message: TracingMessage) => void;
  /** A number gets another meaning: records that have the old one leave first. */
  readonly onReuse: () => void;
}

export class TraceProviders {
  readonly #options: TraceProvidersOptions;
  /** By number. */
  readonly #known: TraceProvider[] = [];
  #announced = 0;

  constructor(options: TraceProvidersOptions) {
    this.#options = options;
  }

  /** The one that was announced and says the same, to be asked for by; announced now where there is none. */
  announce(provider: TraceProvider): TraceProvider {
    // Equal ones are one, over all changes of the configuration: their queue on the main thread goes on.
    const equal = this.#known.find((each) => isDeepStrictEqual(each, provider));
    if (equal === undefined) this.#give(provider);
    return equal ?? provider;
  }

  /** The number of one that `announce` returned; `last` is the one it had. */
  numberOf(provider: TraceProvider, last: number): number {
    if (this.#known[last] === provider) return last;
    const number = this.#known.indexOf(provider);
    return number >= 0 ? number : this.#give(provider);
  }

  /** The number that was given longest ago, when all are. */
  #give(provider: TraceProvider): number {
    const { publish, onReuse } = this.#options;
    const index = this.#announced++ % mostProviders;
    if (this.#known[index] !== undefined) onReuse();
    this.#known[index] = provider;
    publish({ kind: 'trace-provider', index, provider });
    return index;
  }
}
