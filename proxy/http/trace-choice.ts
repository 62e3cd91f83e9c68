// Whether a request is traced, as Envoy chooses once the route is known, and writes into the request id: hops behind us
// follow it. It is the 15th character of a UUID, 4 where nothing was chosen.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-request-id
//
// Without a provider this is the whole choice. With one, `requestedReason` and the shares are parts of the decision that
// the tracer makes by the trace's own random value, and `markTraceReason` tells it on.

import type { RouteTracing, TraceSampling } from '../../config/tracing.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import { HeaderId } from './header-name.ts';
import { headerIdSet } from './header-table.ts';
import { hexDigit } from './hex-digit.ts';
import type { Stream } from './stream.ts';

/** The character of a choice in a request id. */
export const TraceReason = { none: '4', sampled: '9', forced: 'a', client: 'b' } as const;
export type TraceReason = (typeof TraceReason)[keyof typeof TraceReason];

/** Chooses for a request by the digits of its id, so that all hops decide alike, and marks the id. */
export function applyTraceChoice(stream: Stream, route: CompiledRoute | null): void {
  const sampling = stream.manager.config.tracing?.sampling;
  forgetForeignReason(stream);
  if (sampling === undefined || !sampling.usesRequestId) return;
  const tracing = route?.config.tracing;
  const number = leadingNumber(stream.info.requestId);
  let reason: TraceReason = TraceReason.none;
  if (number >= 0) {
    const share = number % allShares;
    reason = requestedReason(stream, route);
    if (reason === TraceReason.none && share < randomShare(sampling, tracing)) reason = TraceReason.sampled;
    if (share >= overallShare(sampling, tracing)) reason = TraceReason.none;
  }
  markTraceReason(stream, reason);
}

/**
 * What a request asks for beside its trace headers: the choice that its id brings, or else `x-client-trace-id` by its share,
 * or `x-envoy-force-trace`. None when ids are not to decide (`use_request_id_for_trace_sampling`), as in Envoy.
 */
export function requestedReason(stream: Stream, route: CompiledRoute | null): TraceReason {
  const sampling = stream.manager.config.tracing?.sampling;
  forgetForeignReason(stream);
  if (sampling === undefined || !sampling.usesRequestId) return TraceReason.none;
  const received = reasonOf(stream.info.requestId);
  if (received !== TraceReason.none) return received;
  const { headers } = stream.head;
  if (
    headers.findId(HeaderId.xClientTraceId) >= 0 &&
    stream.random() * allShares < clientShare(sampling, route?.config.tracing)
  )
    return TraceReason.client;
  return headers.findId(HeaderId.xEnvoyForceTrace) >= 0 ? TraceReason.forced : TraceReason.none;
}

/** Whether a request asks for nothing: `requestedReason` says `none` of it whatever is configured, and `markTraceReason` need not. */
export function asksForNothing({ head, info }: Stream): boolean {
  return !head.headers.mayHave(wishes) && reasonOf(info.requestId) === TraceReason.none;
}

/** Tells the choice to the log filter and, in the id, to other hops. An id that is no UUID stays as it is. */
export function markTraceReason(stream: Stream, reason: TraceReason): void {
  // Envoy's `traceable_filter` passes forced requests only.
  stream.info.isTraced = reason === TraceReason.forced;
  if (stream.manager.config.tracing?.sampling.marksIds === true) replaceReason(stream, reason);
}

// A choice from outside of the mesh is nobody's here, and not told on: ids that are kept at the edge lose it.
function forgetForeignReason(stream: Stream): void {
  if (!stream.isExternal) return;
  const { generateRequestId, tracing } = stream.manager.config;
  if (generateRequestId && tracing?.sampling.marksIds !== false) replaceReason(stream, TraceReason.none);
}

function replaceReason({ head, info }: Stream, reason: TraceReason): void {
  const id = info.requestId;
  if (id.length !== idLength || reasonOf(id) === reason) return;
  info.requestId = id.slice(0, reasonAt) + reason + id.slice(reasonAt + 1);
  const row = head.headers.findId(HeaderId.xRequestId);
  // Behind an internal redirect the route before may have taken it away.
  if (row >= 0) head.headers.replaceValue(row, info.requestId);
}

/** Of all requests, per ten thousand. A route that says anything of tracing speaks for itself. */
export function randomShare(sampling: TraceSampling, route: RouteTracing | undefined): number {
  return (route ?? sampling).randomPerTenThousand;
}

/** Of those chosen by any rule, per ten thousand. */
export function overallShare(sampling: TraceSampling, route: RouteTracing | undefined): number {
  return (route ?? sampling).overallPerTenThousand;
}

function clientShare(sampling: TraceSampling, route: RouteTracing | undefined): number {
  return route === undefined ? sampling.clientPercent * 100 : route.clientPerTenThousand;
}

const wishes = headerIdSet([HeaderId.xClientTraceId, HeaderId.xEnvoyForceTrace]);

const idLength = 36;
const reasonAt = 14;
const noneCode = TraceReason.none.charCodeAt(0);
const allShares = 10_000;

function reasonOf(id: string): TraceReason {
  if (id.length !== idLength) return TraceReason.none;
  // Ids of our own have this one, and most others.
  if (id.charCodeAt(reasonAt) === noneCode) return TraceReason.none;
  const mark = id[reasonAt];
  if (mark === TraceReason.sampled || mark === TraceReason.forced || mark === TraceReason.client) return mark;
  return TraceReason.none;
}

/** The first eight characters as a hexadecimal number; -1 when they are none. */
function leadingNumber(id: string): number {
  if (id.length < 8) return -1;
  let value = 0;
  for (let at = 0; at < 8; at++) {
    const digit = hexDigit(id.charCodeAt(at));
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}
