// Unary gRPC calls with bytes as messages.
//
// @grpc/grpc-js itself, because OpenTelemetry's gRPC exporter keeps one address for life, neither sets `:authority` nor tries
// again, and goes through a proxy that the environment of the workload names.
// https://opentelemetry.io/docs/specs/otlp/#failures

import { ChannelCredentials, Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { grpcTarget } from '../../config/address.ts';
import { asBuffer, asBytes, grpcClientOptions } from '../../config/grpc-client.ts';
import type { CollectorEndpoint, EndpointTls } from './collector-address.ts';
import { EndpointConnections } from './endpoint-connections.ts';
import { ProtobufReader, WireType } from './protobuf-reader.ts';
import { type AttemptLimits, type AttemptResult, maxAnswerBytes, type Transport } from './transport.ts';

export interface GrpcTransportOptions {
  /** Such as `/opentelemetry.proto.collector.trace.v1.TraceService/Export`. */
  readonly method: string;
  readonly authority: string;
  readonly metadata: readonly (readonly [string, string])[];
  readonly usesGzip: boolean;
}

/** What a collector that was away for long is tried again with: the library's own limit is two minutes. */
const maxReconnectMs = 5000;
const gzip = 2;

export class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions;
  readonly #metadata = new Metadata();
  readonly #clients: EndpointConnections<Client>;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    this.#clients = new EndpointConnections(
      (endpoint) => openClient(endpoint, options),
      (client) => client.close(),
    );
    for (const [key, value] of options.metadata) {
      this.#metadata.add(key, key.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
    }
  }

  attempt(endpoint: CollectorEndpoint, body: Uint8Array, limits: AttemptLimits): Promise<AttemptResult> {
    const { promise, resolve } = Promise.withResolvers<AttemptResult>();
    const deadline = new Date(Date.now() + limits.answerMs);
    const client = this.#clients.of(endpoint);
    const { method } = this.#options;
    const call = client.makeUnaryRequest(
      method,
      asBuffer,
      asBytes,
      body,
      this.#metadata,
      { deadline },
      (error, answer) => {
        limits.signal.removeEventListener('abort', cancel);
        resolve(error === null ? { kind: 'accepted', answer: answer ?? new Uint8Array() } : resultOf(error));
      },
    );
    const cancel = (): void => call.cancel();
    limits.signal.addEventListener('abort', cancel, { once: true });
    return promise;
  }

  retain(endpoints: readonly CollectorEndpoint[]): void {
    this.#clients.retain(endpoints);
  }

  close(): void {
    this.retain([]);
  }
}

/** A client of one endpoint, without anything that the environment of the workload says. */
export function openClient(
  { address, tls }: CollectorEndpoint,
  { authority, usesGzip }: Pick<GrpcTransportOptions, 'authority' | 'usesGzip'>,
): Client {
  const credentials = ChannelCredentials.createInsecure();
  if (tls !== undefined) useTls(credentials, tls, authority);
  return new Client(grpcTarget(address), credentials, {
    ...grpcClientOptions,
    'grpc.default_authority': authority,
    'grpc.primary_user_agent': 'outrigger',
    'grpc.max_receive_message_length': maxAnswerBytes,
    'grpc.max_reconnect_backoff_ms': maxReconnectMs,
    'grpc.enable_retries': 0,
    // Nothing is kept for a second attempt, so that a message of a stream counts as written when it is.
    'grpc.per_rpc_retry_buffer_size': 0,
    ...(usesGzip && { 'grpc.default_compression_algorithm': gzip }),
  });
}

// In place of the library's own TLS, which keeps the secrets that it was given, and knows no names but those of DNS.
function useTls(credentials: ChannelCredentials, tls: EndpointTls, authority: string): void {
  const makeConnector = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...parts) => ({
    ...makeConnector(...parts),
    connect: async (socket) => {
      const { secureConnection } = await import('./collector-tls.ts');
      return { socket: await secureConnection(socket, tls, { authority, protocol: 'h2' }), secure: true };
    },
  });
}

const retryable: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** What the library says, under a code that collectors have as well, when an answer is beyond what is read of it. */
const ownLimit = new RegExp(`^Received message .*\\b${maxAnswerBytes}\\)?$`);

function resultOf({ code, details, metadata }: ServiceError): AttemptResult {
  if (code === status.RESOURCE_EXHAUSTED && ownLimit.test(details)) {
    return { kind: 'failed', reason: `its answer is longer than ${maxAnswerBytes} bytes` };
  }
  const reason = `${status[code] ?? code}: ${details}`;
  const [info] = metadata?.get('grpc-status-details-bin') ?? [];
  const afterMs = info instanceof Uint8Array ? retryDelayMs(info) : undefined;
  if (afterMs !== undefined && (retryable.has(code) || code === status.RESOURCE_EXHAUSTED)) {
    return { kind: 'try-again', reason, afterMs };
  }
  // RESOURCE_EXHAUSTED alone says that the request is too large, or a quota is used up for long.
  return { kind: retryable.has(code) ? 'try-again' : 'refused', reason };
}

/**
 * `google.rpc.RetryInfo.retry_delay` (1) among the details (3, each an `Any` of type URL 1 and value 2) of a
 * `google.rpc.Status`; undefined when there is none.
 */
export function retryDelayMs(statusDetails: Uint8Array): number | undefined {
  const details = new ProtobufReader(statusDetails);
  while (details.next()) {
    if (details.field !== 3 || details.wireType !== WireType.bytes) continue;
    const any = details.message();
    let isRetryInfo = false;
    let value: ProtobufReader | null = null;
    while (any.next()) {
      if (any.field === 1 && any.wireType === WireType.bytes) isRetryInfo = any.text.endsWith('/google.rpc.RetryInfo');
      if (any.field === 2 && any.wireType === WireType.bytes) value = any.message();
    }
    if (isRetryInfo && value !== null && !any.isDamaged) return durationMs(value);
  }
  return undefined;
}

/** Of a message whose field 1 is a `google.protobuf.Duration`; nothing else is a delay of nothing. */
function durationMs(message: ProtobufReader): number | undefined {
  let delayMs = 0;
  while (message.next()) {
    if (message.field !== 1 || message.wireType !== WireType.bytes) continue;
    const duration = message.message();
    while (duration.next()) {
      if (duration.wireType !== WireType.varint) continue;
      const part = Number(BigInt.asIntN(64, duration.value));
      if (duration.field === 1) delayMs += part * 1000;
      if (duration.field === 2) delayMs += part / 1e6;
    }
    if (duration.isDamaged) return undefined;
  }
  return message.isDamaged ? undefined : Math.max(delayMs, 0);
}
