// What is changed of a response head on its way from the endpoint to the client. A reply of our own takes the last steps only.

import type { CompiledRoute } from '../route/compiled-route.ts';
import { HeaderId, headerName } from './header-name.ts';
import { encodeLine } from './header-table.ts';
import { sanitizeResponse } from './http1/hop-by-hop.ts';
import { BodyFraming, type ResponseHead } from './message.ts';
import type { Stream } from './stream.ts';
import type { StreamInfo } from './stream-info.ts';

const attemptCountName = headerName('x-envoy-attempt-count');
const upgradeLine = encodeLine('connection', 'upgrade');

/** Of an endpoint: its own fields that go no further, and what the router tells of it. */
export function prepareResponse(stream: Stream, head: ResponseHead, route: CompiledRoute): void {
  const { info, manager } = stream;
  sanitizeResponse(head);
  info.upstreamPeer = manager.peerMetadata?.takeFromResponse(head.headers) ?? null;
  if (!manager.router.suppressEnvoyHeaders) addServiceTime(head, info);
  applyRouteToResponse(stream, head, route);
}

/** The same for the head in front of a tunnel, which has no body. */
export function prepareTunnelResponse(stream: Stream, head: ResponseHead, route: CompiledRoute): void {
  const { info, manager } = stream;
  const upgrade = head.headers.findId(HeaderId.upgrade) >= 0;
  sanitizeResponse(head, upgrade);
  if (upgrade && head.headers.findId(HeaderId.connection) < 0) head.headers.appendLine(upgradeLine);
  info.upstreamPeer = manager.peerMetadata?.takeFromResponse(head.headers) ?? null;
  head.framing = BodyFraming.none;
  applyRouteToResponse(stream, head, route);
}

/** What the route does to responses, and to replies of our own. */
export function applyRouteToResponse({ head: request, info }: Stream, head: ResponseHead, route: CompiledRoute): void {
  addAttemptCount(head, route, info);
  route.mutateResponse(head, request, info);
}

/** What every head gets, whoever answers. Nothing changes it after this but the codec. */
export function completeResponse(stream: Stream, head: ResponseHead): void {
  const { manager, route, allowedOrigin } = stream;
  manager.tracer?.onResponseHead(stream, route, head);
  manager.peerMetadata?.addToResponse(head.headers, stream.askedMetadata);
  if (allowedOrigin !== '') route!.cors!.addToResponse(head.headers, allowedOrigin);
  manager.finishResponseHead(head, stream);
}

/**
 * How long the upstream side took, retries included. Not known of a response that overtakes its request: then the
 * endpoint's own word stays, as in Envoy.
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#http-headers-set-on-downstream-responses
 */
function addServiceTime({ headers }: ResponseHead, info: StreamInfo): void {
  if (info.requestEndAtMs < 0) return;
  headers.removeId(HeaderId.xEnvoyUpstreamServiceTime);
  const fromMs = Math.max(info.requestEndAtMs, info.requestHeadAtMs);
  headers.append('x-envoy-upstream-service-time', String(Math.round(info.responseHeadAtMs - fromMs)));
}

/** `include_attempt_count_in_response`, for responses and replies of requests that were tried. */
function addAttemptCount({ headers }: ResponseHead, route: CompiledRoute, info: StreamInfo): void {
  if (!route.virtualHost.config.includeAttemptCountInResponse || info.attemptCount === 0) return;
  headers.set(attemptCountName, String(info.attemptCount));
}
