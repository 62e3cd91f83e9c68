// Turns a kept request into its spans: one for the request and, with `spawn_upstream_span`, one for each attempt. What never
// changes for a connection manager, a route or a cluster is encoded once.

import type { Tracing } from '../../config/tracing.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import { toByteString } from '../format/byte-string.ts';
import { compileFormat, type Format } from '../format/format.ts';
import type { FormatContext } from '../format/format-context.ts';
import type { RequestHead } from '../http/message.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';
import { type CompiledTags, compileCustomTags, writeTags } from './custom-tags.ts';
import type { AttemptTrace, RequestTrace } from './request-trace.ts';
import { pathTemplate } from './sampling-keys.ts';
import { samplingReasonNames } from './sampling-reason.ts';
import {
  encodeAttributes,
  isKnownMethod,
  writeAnswer,
  writeAttempt,
  writeEndpoint,
  writeOutcome,
  writeRequest,
  writeTarget,
} from './span-attributes.ts';
import { errorType, isAttemptError, isSpanError } from './span-error.ts';
import { writeStages } from './span-events.ts';
import { EventField, errorStatus, SpanField, SpanFlag, SpanKind, StatusField } from './span-field.ts';
import { beginRecord, type RecordFacts } from './span-record.ts';
import { attributeKey, cutText, type SpanWriter } from './span-writer.ts';
import { spanIdLength, TraceparentAt, traceIdLength } from './trace-context.ts';
import { TrustAttribute, type TrustedEnds, trustAttributes, trustedEndsOf } from './trust.ts';

/** This proxy, as spans name it. */
export interface TracedNode {
  readonly id: string;
  readonly zone: string;
}

export interface SpanRecorderOptions {
  readonly tracing: Tracing;
  /** Where records are appended. */
  readonly writer: SpanWriter;
  /** Of the listener. */
  readonly isOutbound: boolean;
  readonly node: TracedNode;
  /** Wall clock minus the reactor's clock, ms. */
  readonly wallOffsetMs: number;
}

/** What a route adds. */
interface RouteShape {
  /** `http.route`, which only the span of the request has. */
  readonly pattern: Uint8Array;
  readonly tags: CompiledTags;
  readonly operation: Format | null;
  readonly upstreamOperation: Format | null;
  readonly decorated: string;
  readonly template: string;
}

/** Spans of a record are counted in a byte; the rest of the attempts of such a request is not told. */
const mostAttempts = 200;

export class SpanRecorder {
  readonly #options: SpanRecorderOptions;
  readonly #writer: SpanWriter;
  readonly #kind: SpanKind;
  readonly #constant: Uint8Array;
  readonly #operation: Format | null;
  readonly #upstreamOperation: Format | null;
  readonly #withoutRoute: RouteShape;
  readonly #routes = new WeakMap<CompiledRoute, RouteShape>();
  readonly #clusters = new WeakMap<ClusterRuntime, Uint8Array>();

  constructor(options: SpanRecorderOptions) {
    const { tracing, node, isOutbound } = options;
    this.#options = options;
    this.#writer = options.writer;
    this.#kind = isOutbound && !tracing.spawnUpstreamSpan ? SpanKind.client : SpanKind.server;
    this.#constant = encodeAttributes([
      ['component', 'proxy'],
      ['node_id', node.id],
      ['zone', node.zone],
    ]);
    this.#operation = compileOperation(tracing.operation);
    this.#upstreamOperation = compileOperation(tracing.upstreamOperation);
    this.#withoutRoute = this.#shapeOf(null);
  }

  /** Appends the record of a kept request. The number of its spans is filled in. */
  write(trace: RequestTrace, context: FormatContext, facts: RecordFacts): void {
    const writer = this.#writer;
    const attemptSpans = this.#options.tracing.spawnUpstreamSpan ? Math.min(trace.attemptCount, mostAttempts) : 0;
    facts.spanCount = 1 + attemptSpans;
    const record = beginRecord(writer, trace, facts);
    const shape = this.#routeShape(trace.route);
    this.#writeRequestSpan(trace, context, shape);
    for (let number = 0; number < attemptSpans; number++) this.#writeAttemptSpan(trace, context, number);
    writer.endLength32(record);
  }

  #writeRequestSpan(trace: RequestTrace, context: FormatContext, shape: RouteShape): void {
    const { tracing, wallOffsetMs } = this.#options;
    const writer = this.#writer;
    const { info } = context;
    const request = { head: context.request!, info };
    const span = writer.beginLength32();
    const { line, hasParent, parentSpanId } = trace.context;
    writer.hex(SpanField.traceId, line.bytes, TraceparentAt.traceId, traceIdLength);
    writer.hex(SpanField.spanId, line.bytes, TraceparentAt.spanId, spanIdLength);
    if (hasParent && !trace.sharesSpanId) writer.hex(SpanField.parentSpanId, parentSpanId, 0, spanIdLength);
    writer.text(SpanField.name, cutText(this.#nameOf(trace, context, shape), longestName));
    writer.integer(SpanField.kind, this.#kind);
    writer.time(SpanField.startTime, info.startWallMs);
    writer.time(SpanField.endTime, wallOffsetMs + info.endedAtMs);
    writer.fixed32(SpanField.flags, flagsOf(trace, hasParent ? SpanFlag.isRemote : 0));
    const isError = isSpanError(this.#kind, info, trace.grpcStatus);
    const start = writer.used;
    writeRequest(writer, request, trace.grpcStatus);
    writeTarget(writer, request, tracing);
    writeOutcome(writer, info, isError ? errorType(info, trace.grpcStatus) : '');
    this.#writeTrust(trace.tls, trace.chain());
    writer.block(this.#constant);
    writer.block(shape.pattern);
    this.#writeCluster(trace.cluster);
    const reason = reasonBlocks[trace.reason]!;
    writer.raw(reason, 0, reason.length);
    writeTags(writer, shape.tags, { context, start });
    if (tracing.verbose) writeStages(writer, info, wallOffsetMs);
    if (!tracing.spawnUpstreamSpan) this.#writeAttemptEvents(trace);
    if (isError) writeError(writer, info.failureReason);
    writer.endLength32(span);
  }

  #writeAttemptSpan(trace: RequestTrace, context: FormatContext, number: number): void {
    const { wallOffsetMs, tracing } = this.#options;
    const writer = this.#writer;
    const { maxPathTagLength } = tracing;
    const attempt = trace.attempts[number]!;
    const head = context.request!;
    const { line } = trace.context;
    const span = writer.beginLength32();
    writer.hex(SpanField.traceId, line.bytes, TraceparentAt.traceId, traceIdLength);
    writer.hex(SpanField.spanId, attempt.spanId, 0, spanIdLength);
    writer.hex(SpanField.parentSpanId, line.bytes, TraceparentAt.spanId, spanIdLength);
    writer.text(SpanField.name, cutText(this.#attemptName(trace, context), longestName));
    writer.integer(SpanField.kind, SpanKind.client);
    writer.time(SpanField.startTime, wallOffsetMs + attempt.startedAtMs);
    writer.time(SpanField.endTime, wallOffsetMs + endOf(attempt, context.info));
    writer.fixed32(SpanField.flags, flagsOf(trace, 0));
    // The status of gRPC is that of the last attempt.
    const grpcStatus = number === trace.attemptCount - 1 ? trace.grpcStatus : -1;
    const start = writer.used;
    writeRequest(writer, { head, info: context.info }, grpcStatus);
    writeAttempt(writer, attempt, { head, number, grpcStatus, maxPathTagLength });
    this.#writeTrust(attempt.tls, trace.attemptChain(attempt));
    writer.block(this.#constant);
    this.#writeCluster(trace.cluster);
    writeTags(writer, this.#routeShape(trace.route).tags, { context, start });
    if (isAttemptError(attempt, grpcStatus)) writeError(writer, attempt.failure);
    writer.endLength32(span);
  }

  // Where attempts have no spans, a request that had several tells of each in an event.
  #writeAttemptEvents(trace: RequestTrace): void {
    if (trace.attemptCount < 2) return;
    const writer = this.#writer;
    const count = Math.min(trace.attemptCount, mostAttempts);
    for (let index = 0; index < count; index++) {
      const attempt = trace.attempts[index]!;
      const event = writer.beginMessage(SpanField.events);
      writer.time(EventField.time, this.#options.wallOffsetMs + attempt.startedAtMs);
      writer.text(EventField.name, 'upstream_attempt');
      writeEndpoint(writer, attempt, EventField.attributes);
      writeAnswer(writer, attempt, EventField.attributes);
      writer.textAttribute(EventField.attributes, failureKey, attempt.failure);
      writer.endMessage(event);
    }
  }

  #writeTrust(tls: TlsFacts | null, chain: string): void {
    const ends = trustedEndsOf(tls);
    if (ends === null) {
      this.#writer.block(plainBlock);
      return;
    }
    let encoded = trustBlocks.get(ends);
    if (encoded === undefined) {
      encoded = encodeAttributes(trustAttributes(ends.peer, ends.ownId));
      trustBlocks.set(ends, encoded);
    }
    this.#writer.block(encoded);
    this.#writer.textAttribute(SpanField.attributes, chainKey, chain);
  }

  #writeCluster(cluster: ClusterRuntime | null): void {
    if (cluster === null) return;
    let encoded = this.#clusters.get(cluster);
    if (encoded === undefined) {
      encoded = encodeAttributes([
        ['upstream_cluster', cluster.name],
        ['upstream_cluster.name', cluster.statName],
      ]);
      this.#clusters.set(cluster, encoded);
    }
    this.#writer.block(encoded);
  }

  // What the other side of the hop says comes first, then what is configured, then the standard name.
  #nameOf(trace: RequestTrace, context: FormatContext, shape: RouteShape): string {
    if (trace.givenOperation !== '') return trace.givenOperation;
    const configured = (shape.operation ?? this.#operation)?.write(context) ?? '';
    return configured || shape.decorated || standardName(context.request!, shape.template);
  }

  #attemptName(trace: RequestTrace, context: FormatContext): string {
    const shape = this.#routeShape(trace.route);
    const configured = (shape.upstreamOperation ?? this.#upstreamOperation)?.write(context) ?? '';
    return configured || standardName(context.request!, shape.template);
  }

  #routeShape(route: CompiledRoute | null): RouteShape {
    if (route === null) return this.#withoutRoute;
    let shape = this.#routes.get(route);
    if (shape === undefined) {
      shape = this.#shapeOf(route);
      this.#routes.set(route, shape);
    }
    return shape;
  }

  #shapeOf(route: CompiledRoute | null): RouteShape {
    const { tracing } = this.#options;
    const own = route?.config.tracing;
    const template = route === null ? '' : pathTemplate(route);
    const tags = compileCustomTags([...(own?.customTags ?? []), ...tracing.customTags]);
    return {
      pattern: encodeAttributes([['http.route', template]]),
      tags,
      operation: compileOperation(own?.operation ?? ''),
      upstreamOperation: compileOperation(own?.upstreamOperation ?? ''),
      decorated: toByteString(route?.config.decorator?.operation ?? ''),
      template: toByteString(template),
    };
  }
}

const reasonBlocks = samplingReasonNames.map((name) => encodeAttributes([['sampling.reason', name]]));
/** Bytes. Peers name operations, and formats can write whatever a request has. */
const longestName = 1024;
const failureKey = attributeKey('error.message');
const chainKey = attributeKey(TrustAttribute.chain);
const plainBlock = encodeAttributes(trustAttributes(null, ''));
/** A connection carries many spans. */
const trustBlocks = new WeakMap<TrustedEnds, Uint8Array>();

function compileOperation(text: string): Format | null {
  return text === '' ? null : compileFormat(text, { omitEmptyValues: true });
}

function standardName({ method }: RequestHead, template: string): string {
  const verb = isKnownMethod(method) ? method : 'HTTP';
  return template === '' ? verb : `${verb} ${template}`;
}

function flagsOf(trace: RequestTrace, remote: number): number {
  const random = trace.context.hasRandomFlag ? SpanFlag.random : 0;
  // Whoever reads the span has a kept trace before him, though it was not told on as one.
  return SpanFlag.sampled | random | SpanFlag.knowsRemote | remote;
}

function endOf({ endedAtMs }: AttemptTrace, info: StreamInfo): number {
  return endedAtMs < 0 ? info.endedAtMs : endedAtMs;
}

function writeError(writer: SpanWriter, message: string): void {
  const status = writer.beginMessage(SpanField.status);
  writer.integer(StatusField.code, errorStatus);
  if (message !== '') writer.text(StatusField.message, toByteString(message));
  writer.endMessage(status);
}
