// Which pages of other origins may use what a route leads to (CORS): `envoy.extensions.filters.http.cors.v3.CorsPolicy`.
// https://fetch.spec.whatwg.org/#http-cors-protocol

import type { RuntimeFraction, StringMatcher } from './matcher.ts';

/** What is left out, or empty, is that of the level above: virtual host, after route, after weighted cluster. */
export interface CorsPolicy {
  readonly allowedOrigins: readonly StringMatcher[];
  /** Values of headers, sent as they are. */
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  /** Seconds, as text. */
  readonly maxAge: string;
  readonly allowCredentials?: boolean;
  readonly allowPrivateNetworkAccess?: boolean;
  /** Whether a preflight of an origin that is not allowed goes to the endpoint. Envoy's default is that it does. */
  readonly forwardNotMatchingPreflights?: boolean;
  /** Of requests; undefined is all. That of the level that is nearest counts. */
  readonly enabled?: RuntimeFraction;
}
