// Tells in the log of own certificates that near their end, once each, and again when one has expired; and of secrets that
// came and cannot be used.

import type { ProcessLog } from '../telemetry/process-log.ts';
import type { CertificateWatch } from '../tls/certificate-watch.ts';

export class CertificateWarnings {
  readonly #watch: Pick<CertificateWatch, 'takeNewProblems' | 'secrets'>;
  readonly #log: Pick<ProcessLog, 'component'>;
  /** The error that was told of last, by the name of its secret. */
  readonly #told = new Map<string, string>();

  constructor(watch: Pick<CertificateWatch, 'takeNewProblems' | 'secrets'>, log: Pick<ProcessLog, 'component'>) {
    this.#watch = watch;
    this.#log = log;
  }

  /** After each snapshot, and from time to time. */
  check(): void {
    const log = this.#log.component('secret');
    for (const { words, isExpired } of this.#watch.takeNewProblems()) {
      if (isExpired) log.error(words);
      else log.warn(words);
    }
    for (const { name, lastError } of this.#watch.secrets()) {
      if (lastError === undefined) this.#told.delete(name);
      else if (this.#told.get(name) !== lastError) {
        this.#told.set(name, lastError);
        log.error(`the secret ${name} cannot be used, and what was there before it stays: ${lastError}`);
      }
    }
  }
}
