// A redirect of an endpoint that is followed in place of the client: the request gets the address that the response names,
// is logged with that response, and finds its route once more.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/http_connection_management#internal-redirects

import { type CompiledInternalRedirect, FollowedRedirects } from '../route/internal-redirect.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import { isValidAuthority } from './authority.ts';
import { HeaderId, headerName } from './header-name.ts';
import { HeaderTable } from './header-table.ts';
import { BodyFraming, type RequestHead, type ResponseHead } from './message.ts';
import { beginRequest } from './request-start.ts';
import { prepareRequestTarget } from './request-target.ts';
import { StreamDeadline } from './response-sender.ts';
import type { Stream } from './stream.ts';
import { StreamInfo } from './stream-info.ts';

const hostName = headerName('host');
const originalUrl = headerName('x-envoy-original-url');

export interface RedirectTarget {
  /** Lower case; `http` and `https` are followed, others are none that a request can have. */
  readonly scheme: string;
  readonly authority: string;
  /** With its query, without a fragment. As in Envoy a query alone is no path, and no route is found for it. */
  readonly path: string;
}

/** The parts of an absolute URL; null when it is none, or holds what no request target may. */
export function parseRedirectTarget(location: string): RedirectTarget | null {
  const colon = location.indexOf('://');
  if (colon <= 0 || !isSound(location)) return null;
  const start = colon + 3;
  let pathStart = start;
  while (pathStart < location.length && !isAuthorityEnd(location.charCodeAt(pathStart))) pathStart++;
  const authority = location.slice(start, pathStart);
  if (!isValidAuthority(authority)) return null;
  const fragment = location.indexOf('#', pathStart);
  const path = location.slice(pathStart, fragment < 0 ? location.length : fragment);
  return { scheme: location.slice(0, colon).toLowerCase(), authority, path: path === '' ? '/' : path };
}

const slash = 0x2f;

function isAuthorityEnd(code: number): boolean {
  return code === slash || code === 0x3f || code === 0x23;
}

/** A blank would end the request target, and what is behind it would be another protocol (RFC 9112 section 3.2). */
function isSound(url: string): boolean {
  for (let at = 0; at < url.length; at++) {
    const code = url.charCodeAt(at);
    if (code <= 0x20 || code === 0x7f) return false;
  }
  return true;
}

/**
 * Gives the request the address that the response redirects it to. False, with the request as it was, where the route does
 * not let it go there; why is counted.
 */
export function readdress(stream: Stream, policy: CompiledInternalRedirect, response: ResponseHead): boolean {
  const { head, manager, facts } = stream;
  const { stats } = manager;
  const location = response.headers.findId(HeaderId.location);
  if (location < 0 || head.path === '') return false;
  const target = parseRedirectTarget(response.headers.value(location));
  if (target === null) {
    stats.inc(httpStats.passthroughInternalRedirectBadLocation);
    return false;
  }
  const isFromHttps = head.scheme === 'https' && facts.tls !== undefined;
  if (!policy.allowsCrossScheme && isFromHttps !== (target.scheme !== 'http')) {
    stats.inc(httpStats.passthroughInternalRedirectUnsafeScheme);
    return false;
  }
  if (target.scheme !== 'http' && target.scheme !== 'https') {
    stats.inc(httpStats.passthroughInternalRedirectBadLocation);
    return false;
  }
  stream.redirects ??= new FollowedRedirects();
  if (stream.redirects.count >= policy.maxRedirects) {
    stats.inc(httpStats.passthroughInternalRedirectTooManyRedirects);
    return false;
  }
  const before = new SavedTarget(head, policy);
  copyHeaders(head.headers, response.headers, policy);
  setTarget(head, target);
  if (!isWelcome(stream, policy, isFromHttps)) {
    before.restore(head, policy);
    return false;
  }
  stream.redirects.count++;
  if (response.status === 303) becomeGet(head);
  head.headers.set(originalUrl, `${isFromHttps ? 'https' : 'http'}://${before.authority}${before.path}`);
  return true;
}

/** Whether there is a route for the request as it is now, and one that the policy lets it go to. */
function isWelcome(stream: Stream, policy: CompiledInternalRedirect, isFromHttps: boolean): boolean {
  const { head, manager, facts, route, redirects } = stream;
  if (head.path.charCodeAt(0) !== slash) {
    manager.stats.inc(httpStats.passthroughInternalRedirectNoRoute);
    return false;
  }
  if (prepareRequestTarget(head, manager, facts.localPort) !== null) {
    manager.stats.inc(httpStats.passthroughInternalRedirectBadLocation);
    return false;
  }
  const next = manager.routes.match(head, manager.context.matchContext);
  if (next === null) {
    manager.stats.inc(httpStats.passthroughInternalRedirectNoRoute);
    return false;
  }
  const step = { from: route!.name, to: next.name, isFromHttps, isToHttps: head.scheme === 'https' };
  if (policy.accepts(step, redirects!)) return true;
  manager.stats.inc(httpStats.passthroughInternalRedirectPredicate);
  return false;
}

/** RFC 9110 section 15.4.4: what was to be done is done, and the other resource is looked at. */
function becomeGet(head: RequestHead): void {
  if (head.method === 'GET' || head.method === 'HEAD') return;
  head.method = 'GET';
  head.framing = BodyFraming.none;
  head.contentLength = 0;
  head.headers.removeId(HeaderId.contentLength);
  head.headers.removeId(HeaderId.transferEncoding);
}

function setTarget(head: RequestHead, { scheme, authority, path }: RedirectTarget): void {
  head.scheme = scheme === 'https' ? 'https' : 'http';
  head.authority = authority;
  head.path = path;
  head.headers.set(hostName, authority);
}

function copyHeaders(to: HeaderTable, from: HeaderTable, { headersToCopy }: CompiledInternalRedirect): void {
  for (let index = 0; index < headersToCopy.length; index++) {
    const name = headersToCopy[index]!;
    to.remove(name);
    for (let row = from.find(name); row >= 0; row = from.find(name, row + 1)) to.append(name.text, from.value(row));
  }
}

/** What a redirect that is not followed must not change. */
class SavedTarget {
  readonly authority: string;
  readonly path: string;
  readonly #scheme: RequestHead['scheme'];
  readonly #fields = new HeaderTable();

  constructor(head: RequestHead, { headersToCopy }: CompiledInternalRedirect) {
    const { headers } = head;
    this.authority = head.authority;
    this.path = head.path;
    this.#scheme = head.scheme;
    for (let index = 0; index < headersToCopy.length; index++) {
      const name = headersToCopy[index]!;
      for (let row = headers.find(name); row >= 0; row = headers.find(name, row + 1)) {
        this.#fields.appendRow(headers, row);
      }
    }
  }

  restore(head: RequestHead, { headersToCopy }: CompiledInternalRedirect): void {
    setTarget(head, { scheme: this.#scheme, authority: this.authority, path: this.path });
    for (let index = 0; index < headersToCopy.length; index++) head.headers.remove(headersToCopy[index]!);
    appendFields(head.headers, this.#fields);
  }
}

/** Ends the pass of the request that the response redirects: it is counted and logged, and the next begins with nothing. */
export function endPass(stream: Stream, response: ResponseHead): void {
  const { info, manager, sender } = stream;
  info.responseCode = response.status;
  info.responseCodeDetails = 'internal_redirect';
  info.responseHeadAtMs = stream.nowMs;
  info.endedAtMs = stream.nowMs;
  stream.redirects!.isLeaving = true;
  manager.logRequest(stream, response, null);
  stream.redirects!.isLeaving = false;
  for (let slot = 0; slot < StreamDeadline.count; slot++) sender.deadlines.clear(slot);
  compact(stream.head.headers);
  stream.info = new StreamInfo();
  stream.route = null;
  stream.cluster = null;
  stream.trace = null;
  stream.allowedOrigin = '';
  beginRequest(stream, 0);
  noteEarlierPass(stream.info, info);
}

/** What is the client's is the same in every pass. The time of the whole is, too, as in Envoy. */
function noteEarlierPass(info: StreamInfo, earlier: StreamInfo): void {
  info.startWallMs = earlier.startWallMs;
  info.startedAtMs = earlier.startedAtMs;
  info.requestEndAtMs = earlier.requestEndAtMs;
  info.requestId = earlier.requestId;
  info.isTraced = earlier.isTraced;
  info.requestBodyBytes = earlier.requestBodyBytes;
  info.downstreamRemoteAddress = earlier.downstreamRemoteAddress;
  info.downstreamPeer = earlier.downstreamPeer;
}

/** Fields that were replaced leave their bytes behind: many redirects with long locations must not add up. */
function compact(headers: HeaderTable): void {
  const fields = new HeaderTable();
  appendFields(fields, headers);
  headers.clear();
  appendFields(headers, fields);
}

function appendFields(to: HeaderTable, from: HeaderTable): void {
  for (let row = 0; row < from.rowCount; row++) {
    if (!from.isRemoved(row)) to.appendRow(from, row);
  }
}
