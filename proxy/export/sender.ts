// What carries telemetry away: the one thing that queues, metrics and logs know of protocols and collectors.

/** What a request holds. */
export type Signal = 'traces' | 'metrics' | 'logs';

export interface Sender {
  /**
   * Sends the bytes of one whole request (such as an `ExportTraceServiceRequest`), again where that helps. Never
   * rejects; resolves when the collector has it, or nothing more is tried.
   */
  send(request: Uint8Array): Promise<SendOutcome>;
  /** Ends what is on its way, and with it its waiting. Nothing is sent afterwards. */
  close(): void;
}

export type SendOutcome =
  /** `rejected` of its items were not taken (`partial_success`); they are not sent again. */
  | { readonly kind: 'sent'; readonly rejected: number }
  /** The collector said that it does not want it, so that it was not tried again. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It could not be reached, or was still overloaded after the last attempt. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'no-cluster'; readonly reason: string };

/** Time and chance, as all of export takes them. */
export interface ExportClock {
  /** Milliseconds that only grow. */
  readonly nowMs: () => number;
  /** Calls back once after a delay, unless the function it returns was called before. */
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
}
