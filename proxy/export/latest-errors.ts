// The latest errors that were kept, for the admin page: which trace to look for, and what happened in plain words.

import type { SpanView } from './span-view.ts';

export interface LatestError {
  /** Milliseconds since 1970, of the end of the request. */
  readonly atMs: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly service: string;
  readonly route: string;
  readonly method: string;
  /** Of HTTP; 0 without an answer. */
  readonly status: number;
  /** Of gRPC; null when it was none. */
  readonly grpcStatus: number | null;
  /** Envoy's short flags, `-` without any. */
  readonly flags: string;
  readonly sentence: string;
}

const capacity = 64;

export class LatestErrors {
  #errors: LatestError[] = [];

  /** `key` as `keyId` of sampling writes it. */
  add(span: SpanView, key: string): void {
    const [service = '', route = '', method = ''] = key.split('\n');
    const { attributes, traceId, spanId, endNs } = span;
    const status = Number(attributes.get('http.response.status_code') ?? 0);
    const grpcStatus = attributes.get('rpc.grpc.status_code');
    const flags = String(attributes.get('response_flags') ?? '-');
    this.#errors.push({
      atMs: Number(endNs / 1_000_000n),
      traceId,
      spanId,
      service,
      route,
      method,
      status,
      grpcStatus: grpcStatus === undefined ? null : Number(grpcStatus),
      flags,
      sentence: sentenceOf(span, status),
    });
    if (this.#errors.length > capacity) this.#errors.shift();
  }

  /** Newest first. */
  list(): readonly LatestError[] {
    return this.#errors.toReversed();
  }
}

function sentenceOf({ error, attributes, name, startNs, endNs }: SpanView, status: number): string {
  const ms = Number((endNs - startNs) / 1000n) / 1000;
  const grpcStatus = attributes.get('rpc.grpc.status_code');
  const outcome =
    grpcStatus !== undefined && Number(grpcStatus) > 0
      ? `ended with gRPC status ${grpcStatus}`
      : status === 0
        ? 'was not answered'
        : `was answered with ${status}`;
  // With a flag the answer is this proxy's own, and the error says whose fault it was.
  const isOurs = (attributes.get('response_flags') ?? '-') !== '-';
  const cluster = attributes.get('upstream_cluster');
  const by = isOurs || cluster === undefined || status === 0 ? '' : ` by ${cluster}`;
  const reason = error || refusalOf(attributes);
  const why = reason === '' ? '' : `: ${reason}`;
  return `${name} ${outcome}${by} after ${ms.toFixed(1)} ms${why}`;
}

// What a client did wrong is no error of a server's span, which says nothing of it, then.
function refusalOf(attributes: SpanView['attributes']): string {
  const flags = String(attributes.get('response_flags') ?? '').split(',');
  return flags.includes('DPE') ? 'the request was not valid HTTP' : '';
}
