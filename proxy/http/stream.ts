// One request from its head to its log line. Read top to bottom, this is the life of a request; the page of that name
// in ARCHITECTURE.md follows it.

import type { Random } from '../../config/random.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { UpstreamFailure } from '../cluster/upstream-failure.ts';
import type { Workload } from '../istio/workload.ts';
import type { CompiledForward, CompiledRoute } from '../route/compiled-route.ts';
import type { FollowedRedirects } from '../route/internal-redirect.ts';
import { pathEnd } from '../route/path-match.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ConnectionManager } from './connection-manager.ts';
import { answersPreflight } from './cross-origin.ts';
import { clearForTunnel, downstreamTimeout } from './downstream-timeouts.ts';
import { cutResponse } from './failure-reply.ts';
import { applyForwardedHeaders } from './forwarded-headers.ts';
import { headerName } from './header-name.ts';
import type { HeaderTable } from './header-table.ts';
import { sanitizeRequest, sanitizeResponse } from './http1/hop-by-hop.ts';
import { clusterNotFoundReply, LocalReplies, type LocalReply, refusalReply } from './local-reply.ts';
import { writeDirectResponse, writeLocalReply, writeRedirect } from './local-reply-writer.ts';
import { HttpVersion, hasBody, type RequestHead, type ResponseHead } from './message.ts';
import { awaitsCluster, awaitsVirtualHost, leaveWait, type OnDemandWait } from './on-demand.ts';
import type { RequestBody } from './request-body.ts';
import { beginRequest } from './request-start.ts';
import { prepareRequestTarget } from './request-target.ts';
import { applyRouteToResponse, completeResponse, prepareResponse, prepareTunnelResponse } from './response-head.ts';
import { type ResponseSender, StreamDeadline } from './response-sender.ts';
import { StreamInfo } from './stream-info.ts';
import { noteCluster, noteRoute } from './stream-notes.ts';
import { applyTraceChoice } from './trace-choice.ts';
import { UpstreamRequest } from './upstream-request.ts';

/**
 * With `stream_idle_timeout: 0s` a tunnel may be idle for ever, but not one that its client has ended: nothing would tell
 * of a client that is gone. The time is tcp_proxy's own. Envoy needs none, since it cuts a tunnel at its first end.
 */
const halfClosedTunnelIdleMs = 3_600_000;

const contentType = headerName('content-type');

export class Stream {
  /** Of this pass: an internal redirect begins another. */
  info = new StreamInfo();
  readonly head: RequestHead;
  readonly sender: ResponseSender;
  readonly manager: ConnectionManager;
  readonly facts: ConnectionFacts;
  /** Null before it is known, and where there is none. */
  route: CompiledRoute | null = null;
  cluster: ClusterRuntime | null = null;
  /** Null where nothing is recorded, before it is known where the request goes, and while its line is all there is of it. */
  trace: RequestTrace | null = null;
  /** Null before the first that is followed here. */
  redirects: FollowedRedirects | null = null;
  /** Null but while it waits for what the control plane is asked for. */
  wait: OnDemandWait | null = null;
  /** The request came from inside the mesh: Envoy's `x-envoy-internal`. Its timeout and retry headers are obeyed. */
  isInternal = false;
  /** That of a page which may read the response; empty without one. */
  allowedOrigin = '';
  /** An edge request from outside: it is told nothing of our insides. */
  isExternal = false;
  /** What the client's sidecar wants to be told of ours: bits of `PeerMetadataPart`. */
  askedMetadata = 0;
  /** `stream_idle_timeout`, or the route's own. */
  #idleMs = 0;
  /** The route's, from the end of the request to the end of the response. */
  #timeoutMs = 0;
  #upstream: UpstreamRequest | null = null;
  /** Null but behind an internal redirect of a request that has one. */
  #body: RequestBody | null = null;
  #responseHead: ResponseHead | null = null;
  #responseTrailers: HeaderTable | null = null;
  #requestEnded = false;
  #responseStarted = false;
  #isDone = false;
  #isTunnel = false;

  constructor(manager: ConnectionManager, facts: ConnectionFacts, sender: ResponseSender) {
    this.manager = manager;
    this.facts = facts;
    this.sender = sender;
    this.head = sender.head;
  }

  /** What the other sidecar says of itself: the client's, or the endpoint's. Null when it says nothing, or nobody asks. */
  get peer(): Workload | null {
    return this.info.upstreamPeer ?? this.info.downstreamPeer;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  get isTunnel(): boolean {
    return this.#isTunnel;
  }

  get nowMs(): number {
    return this.manager.context.reactor.nowMs;
  }

  /** The time of day. */
  get wallMs(): number {
    return this.manager.context.wallOffsetMs + this.nowMs;
  }

  get random(): Random {
    return this.manager.context.random;
  }

  /** The head was parsed. Routes it and starts the upstream request, or replies. */
  onRequestHead(headerBytes: number): void {
    const { manager, info, head } = this;
    this.#idleMs = this.manager.config.streamIdleTimeoutMs;
    beginRequest(this, headerBytes);
    if (!hasBody(head)) this.#markRequestEnd();

    const hopByHop = sanitizeRequest(head, true);
    // Bytes that a client sends ahead are no requests, whoever refuses: the connection carries nothing after this.
    if (head.method === 'CONNECT' || head.upgrade !== '') this.sender.closeAfterResponse();
    if (hopByHop !== null) {
      this.replyLocally(refusalReply(hopByHop), hopByHop.reason);
      return;
    }
    const target = prepareRequestTarget(head, manager, this.facts.localPort);
    if (target !== null) {
      this.replyLocally(target.reply, target.reason, target.location);
      return;
    }
    applyForwardedHeaders(this);
    if (manager.peerMetadata !== null) {
      this.askedMetadata = manager.peerMetadata.askedBy(head.headers);
      info.downstreamPeer = manager.peerMetadata.takeFromRequest(head.headers);
    }

    this.#findRoute(true);
  }

  #findRoute(mayWait: boolean): void {
    const { manager, info, head } = this;
    const route = manager.routes.match(head, manager.context.matchContext);
    if (route === null && mayWait && awaitsVirtualHost(this)) return;
    // On the first pass only, as in Envoy.
    if (manager.tracer === null && this.redirects === null) applyTraceChoice(this, route);
    if (route === null) {
      manager.stats.inc(httpStats.rqTotal);
      manager.stats.inc(httpStats.noRoute);
      this.replyLocally(
        LocalReplies.routeNotFound,
        `no route matches ${head.method} ${head.authority}${head.path.slice(0, pathEnd(head.path))}`,
      );
      return;
    }
    this.route = route;
    noteRoute(info, route);
    this.#followRoute(route);
  }

  /** The codec refused the head: it is answered and logged like any other request. */
  onRefusedHead(reply: LocalReply, reason: string): void {
    beginRequest(this, 0);
    this.replyLocally(reply, reason);
  }

  #followRoute(route: CompiledRoute): void {
    const { head, manager } = this;
    const upgrade = head.method === 'CONNECT' ? 'connect' : head.upgrade;
    if (upgrade !== '') {
      if (!manager.allowsUpgrade(upgrade, route)) {
        manager.stats.inc(httpStats.downstreamRqWsOnNonWsRoute);
        this.replyLocally(LocalReplies.upgradeFailed, `upgrade to ${upgrade} is not allowed here (upgrade_configs)`);
        return;
      }
    }
    if (route.cors !== null && answersPreflight(this, route, route.cors)) return;
    manager.stats.inc(httpStats.rqTotal);
    const { action } = route;
    switch (action.kind) {
      case 'redirect':
        // Envoy counts a redirect as a direct response; its own counter is for people.
        manager.stats.inc(httpStats.rqDirectResponse);
        manager.stats.inc(httpStats.rqRedirect);
        writeRedirect(this, action);
        return;
      case 'direct-response':
        manager.stats.inc(httpStats.rqDirectResponse);
        writeDirectResponse(this, action);
        return;
      case 'forward':
        this.#forward(route, action, true);
    }
  }

  #forward(route: CompiledRoute, action: CompiledForward, mayWait: boolean): void {
    const { head, manager, info, sender } = this;
    const name = action.selectCluster(head);
    const cluster = name === null ? null : manager.context.clusters.get(name);
    if (cluster === null) {
      if (mayWait && name !== null && awaitsCluster(this, route, name)) return;
      manager.stats.inc(httpStats.noCluster);
      this.replyLocally(
        clusterNotFoundReply(action.config.clusterNotFoundStatus),
        `cluster ${name ?? '(none named)'} is not known`,
      );
      return;
    }
    this.cluster = cluster;
    noteCluster(info, cluster);
    if (manager.tracer !== null) manager.tracer.begin(this, route, cluster);
    const timeouts = action.takeTimeouts(head);
    if (!manager.router.suppressEnvoyHeaders) action.addExpectedTimeout(head, timeouts);
    action.rewriteRequest(head, info);
    if (manager.tracer !== null) manager.tracer.inject(this);
    manager.peerMetadata?.addToRequest(head.headers, cluster);
    const retry = action.takeRetries(head);
    this.#timeoutMs = timeouts.timeoutMs;
    if (timeouts.idleMs !== undefined) {
      this.#idleMs = timeouts.idleMs;
      this.#touch();
    }
    if (timeouts.maxStreamDurationMs !== undefined)
      sender.deadlines.set(StreamDeadline.maxDuration, timeouts.maxStreamDurationMs);
    if (this.#requestEnded) this.#armResponseTimeout();
    this.#upstream = new UpstreamRequest(this, { route, forward: action, cluster, retry, timeouts, body: this.#body });
    this.#upstream.start();
  }

  /** An internal redirect: the request, all of which is here, finds its route once more. */
  beginPass(body: RequestBody | null): void {
    this.#upstream = null;
    this.#body = body;
    this.#idleMs = this.manager.config.streamIdleTimeoutMs;
    this.#markRequestEnd();
    this.#findRoute(true);
  }

  /** Goes on where it waited, which it does once for each. What the client could not do meanwhile, it has its time for now. */
  endWait(): void {
    const { route, manager, sender } = this;
    leaveWait(this);
    this.#touch();
    if (!this.#requestEnded) sender.deadlines.set(StreamDeadline.request, manager.config.requestTimeoutMs);
    if (route === null) this.#findRoute(false);
    else if (route.action.kind === 'forward') this.#forward(route, route.action, false);
    if (!this.#requestEnded) sender.resumeRequest();
  }

  #armResponseTimeout(): void {
    if (!this.#isTunnel) this.sender.deadlines.set(StreamDeadline.response, this.#timeoutMs);
  }

  /** False while nobody takes body bytes: the codec stops reading. After a local reply they are taken and dropped. */
  get acceptsRequestBody(): boolean {
    if (this.#upstream === null) return this.wait === null;
    return this.#isDone || this.#upstream.acceptsRequestBody;
  }

  /** The codec has stopped reading. */
  onRequestPaused(): void {
    this.#upstream?.onRequestPaused();
  }

  onRequestData(buffer: NativeBuffer, start: number, end: number): void {
    if (this.#isDone) return;
    this.info.requestBodyBytes += end - start;
    this.#touch();
    this.#upstream?.sendData(buffer, start, end);
  }

  onRequestEnd(trailers: HeaderTable | null): void {
    if (this.#isDone) return;
    this.#markRequestEnd();
    this.#armResponseTimeout();
    this.#upstream?.sendEnd(this.manager.config.http1.enableTrailers ? trailers : null);
  }

  #markRequestEnd(): void {
    this.#requestEnded = true;
    if (this.info.requestEndAtMs < 0) this.info.requestEndAtMs = this.nowMs;
    this.sender.deadlines.clear(StreamDeadline.request);
  }

  // A byte moved: the stream is not idle. Costs one store.
  #touch(): void {
    this.sender.deadlines.set(StreamDeadline.streamIdle, this.#idleMs);
  }

  /** The client sent FIN inside a tunnel: what the endpoint still says goes on to it. */
  onTunnelInputEnd(): void {
    if (this.#idleMs === 0) this.#idleMs = halfClosedTunnelIdleMs;
    this.#touch();
    this.#upstream?.endTunnelWriting();
  }

  /** The client takes bytes again. */
  onResponseDrained(): void {
    this.#upstream?.resumeResponse();
  }

  onInterimHead(head: ResponseHead): void {
    if (this.head.version !== HttpVersion.http11) return;
    if (head.status === 100 && !this.manager.config.proxy100Continue) return;
    sanitizeResponse(head);
    this.sender.sendInterim(head);
  }

  onResponseHead(head: ResponseHead, route: CompiledRoute): void {
    const { info } = this;
    info.responseHeadAtMs = this.nowMs;
    info.responseCodeDetails = 'via_upstream';
    info.responseCode = head.status;
    this.#touch();
    prepareResponse(this, head, route);
    this.#sendHead(head);
  }

  #sendHead(head: ResponseHead): void {
    const { info } = this;
    completeResponse(this, head);
    this.#responseHead = head;
    this.#responseStarted = true;
    info.responseCode = head.status;
    info.downstreamResponseStartAtMs = this.nowMs;
    this.sender.sendHead(head);
  }

  onResponseData(buffer: NativeBuffer, start: number, end: number): void {
    this.info.responseBodyBytes += end - start;
    this.#touch();
    this.sender.sendData(buffer, start, end);
  }

  /** Data of the response went to `sender.dataSink` already. */
  onResponseRelayed(length: number): void {
    this.info.responseBodyBytes += length;
    this.#touch();
  }

  onResponseEnd(trailers: HeaderTable | null): void {
    this.info.responseEndAtMs = this.nowMs;
    this.#upstream = null;
    this.#responseTrailers = trailers;
    this.#finish();
    this.sender.sendEnd(this.manager.config.http1.enableTrailers ? trailers : null);
  }

  /** The upstream connection was lost after the head had been sent. */
  onResponseAborted(failure: UpstreamFailure): void {
    const { info } = this;
    const { flag, details } = cutResponse(failure);
    info.responseFlags |= flag;
    info.responseCodeDetails = details;
    info.failureReason = failure.reason;
    this.#upstream = null;
    this.#abort();
  }

  onTunnelHead(head: ResponseHead, route: CompiledRoute): void {
    this.#isTunnel = true;
    this.info.responseHeadAtMs = this.nowMs;
    clearForTunnel(this.sender.deadlines);
    this.manager.stats.inc(httpStats.downstreamCxUpgradesTotal);
    this.manager.stats.inc(httpStats.downstreamCxUpgradesActive);
    this.info.responseCodeDetails = 'via_upstream';
    prepareTunnelResponse(this, head, route);
    this.#sendHead(head);
    this.sender.startTunnel();
  }

  /** Answers in the endpoint's place. `reason` is the plain sentence for log and body. */
  replyLocally(reply: LocalReply, reason: string, location = ''): void {
    if (this.#isDone) return;
    const { info } = this;
    info.responseFlags |= reply.flags;
    info.responseCodeDetails = reply.details;
    if (reason !== '') info.failureReason = reason;
    this.#abandonUpstream();
    if (this.#responseStarted) {
      this.#abort();
      return;
    }
    // A message that was not valid HTTP says little about where the next one begins.
    if (reply.status === 400 && !this.manager.config.streamErrorOnInvalidMessage) this.sender.closeAfterResponse();
    writeLocalReply(this, reply, { reason, location, fixedBody: null, fixedType: '' });
  }

  #abort(): void {
    this.manager.stats.inc(httpStats.downstreamRqTxReset);
    this.#finish();
    this.sender.abort();
  }

  /** Sends a head and body of our own; `writeLocalReply` has filled the head. A `fixedType` is no matter of the route's. */
  sendLocal(head: ResponseHead, body: Uint8Array, fixedType = ''): void {
    if (this.route !== null) {
      applyRouteToResponse(this, head, this.route);
      if (fixedType !== '') head.headers.set(contentType, fixedType);
    }
    this.answer(head, body);
  }

  /** The same without what routes do to responses. */
  answer(head: ResponseHead, body: Uint8Array): void {
    if (!this.#requestEnded) this.sender.closeAfterResponse();
    this.#sendHead(head);
    if (body.length > 0 && this.head.method !== 'HEAD') {
      this.info.responseBodyBytes = body.length;
      this.sender.sendBytes(body);
    }
    this.info.responseEndAtMs = this.nowMs;
    this.#finish();
    this.sender.sendEnd(null);
  }

  onDeadline(slot: number): void {
    if (this.#isDone) return;
    const timeout = downstreamTimeout(slot, this.manager, {
      requestEnded: this.#requestEnded || this.wait !== null,
      idleMs: this.#idleMs,
    });
    if (timeout === null && this.wait !== null) this.endWait();
    else if (timeout === null) this.#upstream?.onDeadline(slot);
    else this.replyLocally(timeout.reply, timeout.reason);
  }

  /** The client went away. */
  onDownstreamReset(flag: number, details: string): void {
    if (this.#isDone) return;
    this.info.responseFlags |= flag;
    this.info.responseCodeDetails = details;
    this.#abandonUpstream();
    this.#finish();
  }

  #abandonUpstream(): void {
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.cancel();
    leaveWait(this);
  }

  // Every request comes here exactly once: the one log point.
  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const { info, manager } = this;
    info.endedAtMs = this.nowMs;
    for (let slot = 0; slot < StreamDeadline.count; slot++) this.sender.deadlines.clear(slot);
    if (this.#isTunnel) manager.stats.dec(httpStats.downstreamCxUpgradesActive);
    manager.logRequest(this, this.#responseHead, this.#responseTrailers);
  }
}
