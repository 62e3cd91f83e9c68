// Names of gRPC status codes as Envoy prints them. https://grpc.io/docs/guides/status-codes/

/** Camel case, by number. Envoy spells CANCELLED with one `l` here. */
const camelNames = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

const snakeNames = camelNames.map((name) =>
  name === 'OK' ? name : name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase(),
);

/** The name of a status, or its number when it has none. */
export function grpcStatusName(status: number, style: 'camel' | 'snake'): string {
  return (style === 'camel' ? camelNames : snakeNames)[status] ?? String(status);
}
