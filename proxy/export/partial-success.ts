// What a collector says of a request that it took. The answers of traces, metrics and logs have the same shape:
// `partial_success` (1) with how many items it refused (1) and why (2).
// https://opentelemetry.io/docs/specs/otlp/#partial-success-1

import { ProtobufReader, WireType } from './protobuf-reader.ts';

export interface PartialSuccess {
  /** Items that were refused; they must not be sent again. */
  readonly rejected: number;
  /** Also a warning about items that were all taken; empty when there is none. */
  readonly message: string;
}

/** Null when the bytes are no such answer. */
export function readPartialSuccess(answer: Uint8Array): PartialSuccess | null {
  const response = new ProtobufReader(answer);
  let rejected = 0;
  let message = '';
  while (response.next()) {
    if (response.field !== 1) continue;
    if (response.wireType !== WireType.bytes) return null;
    const partial = response.message();
    while (partial.next()) {
      if (partial.field === 1 && partial.wireType === WireType.varint) rejected = clamp(partial.value);
      if (partial.field === 2 && partial.wireType === WireType.bytes) message = partial.text;
    }
    if (partial.isDamaged) return null;
  }
  return response.isDamaged ? null : { rejected, message };
}

/** An int64 that should not be negative. */
function clamp(value: bigint): number {
  const signed = BigInt.asIntN(64, value);
  return signed < 0n ? 0 : Number(signed);
}
