// What the router tells the client about the upstream side, in headers of the response.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#http-headers-set-on-downstream-responses

import type { CompiledRoute } from '../route/compiled-route.ts';
import { HeaderId, headerName } from './header-name.ts';
import type { ResponseHead } from './message.ts';
import type { StreamInfo } from './stream-info.ts';

const attemptCountName = headerName('x-envoy-attempt-count');

/** How long the upstream side took, retries included. Not known of a response that overtakes its request. */
export function addServiceTime({ headers }: ResponseHead, info: StreamInfo): void {
  headers.removeId(HeaderId.xEnvoyUpstreamServiceTime);
  if (info.requestEndAtMs < 0) return;
  const fromMs = Math.max(info.requestEndAtMs, info.requestHeadAtMs);
  headers.append('x-envoy-upstream-service-time', String(Math.round(info.responseHeadAtMs - fromMs)));
}

/** `include_attempt_count_in_response`, for responses and replies of requests that were tried. */
export function addAttemptCount({ headers }: ResponseHead, route: CompiledRoute, info: StreamInfo): void {
  if (!route.virtualHost.config.includeAttemptCountInResponse || info.attemptCount === 0) return;
  headers.set(attemptCountName, String(info.attemptCount));
}
