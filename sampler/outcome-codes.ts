// What operators write for outcomes of requests: `5xx`, `500-503`, 429; `UNAVAILABLE` or 14.

/** The inclusive range of HTTP statuses that a text or number names; undefined when it names none. */
export function readStatuses(value: unknown): readonly [number, number] | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value);
  const wholeClass = /^([1-5])xx$/i.exec(text);
  if (wholeClass !== null) return [Number(wholeClass[1]) * 100, Number(wholeClass[1]) * 100 + 99];
  const range = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text);
  if (range === null) return undefined;
  const [from, to] = [Number(range[1]), Number(range[2] ?? range[1])];
  return from <= to ? [from, to] : undefined;
}

/** The number of a gRPC status that is named or given; undefined when there is none. */
export function readGrpcStatus(value: unknown): number | undefined {
  if (typeof value === 'string') {
    const status = grpcStatusNames.indexOf(value.toUpperCase());
    return status === -1 ? undefined : status;
  }
  const isStatus = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < grpcStatusNames.length;
  return isStatus ? value : undefined;
}

/** By number. https://grpc.io/docs/guides/status-codes/ */
export const grpcStatusNames: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];
