// The wait that a response asks for which limits the rate: `rate_limited_retry_back_off` of a retry policy.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto#config-route-v3-retrypolicy-ratelimitedretrybackoff

import type { RateLimitedBackOff, ResetHeader } from '../../config/route.ts';
import { type HeaderName, headerName } from '../http/header-name.ts';
import type { ResponseHead } from '../http/message.ts';
import { unsignedDigits } from './header-number.ts';

export class ResetInterval {
  readonly #headers: readonly { readonly name: HeaderName; readonly format: ResetHeader['format'] }[];
  readonly #maxMs: number;

  constructor({ resetHeaders, maxMs }: RateLimitedBackOff) {
    this.#headers = resetHeaders.map(({ name, format }) => ({ name: headerName(name), format }));
    this.#maxMs = maxMs;
  }

  /**
   * Milliseconds, by the first header that has a time no further away than the longest wait; 0 when none has. `wallMs` is
   * the time of day, which the headers are of.
   */
  read({ headers }: ResponseHead, wallMs: number): number {
    for (const { name, format } of this.#headers) {
      const row = headers.find(name);
      const digits = row < 0 ? null : unsignedDigits(headers.value(row));
      if (digits === null) continue;
      const seconds = format === 'seconds' ? Number(digits) : Number(digits) - Math.floor(wallMs / 1000);
      if (seconds >= 0 && seconds * 1000 <= this.#maxMs) return seconds * 1000;
    }
    return 0;
  }
}
