// The HTTP connection manager of one filter chain, compiled: everything a request asks of its configuration is here as
// a field, made once when the snapshot arrived.

import type { HttpConnectionManager, RouterFilter } from '../../config/http-connection-manager.ts';
import type { Random } from '../../config/random.ts';
import type { ChooseContext } from '../cluster/balancer.ts';
import type { ClusterTable } from '../cluster/cluster-table.ts';
import type { UpstreamConnector } from '../cluster/pooled-connection.ts';
import type { FormatContext } from '../format/format-context.ts';
import type { PeerMetadataHeaders } from '../istio/peer-metadata.ts';
import type { IstioRequestStats } from '../istio/request-stats.ts';
import { compileRanges } from '../listener/ip-range.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import type { MatchContext } from '../route/route-match.ts';
import { compileRouteTable, type RouteTable } from '../route/route-table.ts';
import type { RouteTables, RouteTableUser } from '../route/route-tables.ts';
import type { AccessLogger } from '../telemetry/access-log.ts';
import { countDownstreamResponse, httpStats, listenerHttpStats } from '../telemetry/http-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { RequestTracer } from '../tracing/request-tracer.ts';
import { type AuthorityNormalizer, compileAuthorityNormalizer } from './authority.ts';
import { ClientCertForwarder } from './forwarded-client-cert.ts';
import { HeaderId, type HeaderName, headerName } from './header-name.ts';
import { type EncodedLine, encodeLine, type HeaderTable } from './header-table.ts';
import type { BodyLimits } from './http1/body-decoder.ts';
import type { OutputBuffer } from './http1/output-buffer.ts';
import type { RequestParserOptions } from './http1/request-parser.ts';
import { compileLocalReplyMapping, type LocalReplyMapping } from './local-reply-mapper.ts';
import type { ResponseHead } from './message.ts';
import type { OnDemandWaits } from './on-demand.ts';
import { compilePathNormalizer, type PathNormalizer } from './path-normalization.ts';
import type { RequestCounter } from './request-counter.ts';
import type { Stream } from './stream.ts';
import { StreamInfo } from './stream-info.ts';

/** What every connection of a worker shares. */
export interface HttpContext {
  readonly reactor: Reactor;
  readonly output: OutputBuffer;
  /** Opens connections to endpoints. */
  readonly connector: UpstreamConnector;
  /** … and where CONNECT ends here. */
  readonly rawConnector: UpstreamConnector;
  readonly clusters: ClusterTable;
  /** Those that connection managers find by name. */
  readonly routeTables: RouteTables;
  /** Requests that wait for what the control plane is asked for. */
  readonly onDemand: OnDemandWaits;
  readonly random: Random;
  readonly matchContext: MatchContext;
  /** Filled for each choice of an endpoint. */
  readonly chooseContext: { -readonly [K in keyof ChooseContext]: ChooseContext[K] };
  /** Wall clock minus the reactor's clock, ms. */
  readonly wallOffsetMs: number;
  /** This machine's own address, told to the next hop in x-forwarded-for when the peer is on loopback. */
  readonly localIp: string;
  /** Lines of `date`, renewed once a second. */
  readonly dateLine: { current: EncodedLine };
  /** A block of `http1Stats`, for all connections of the worker. */
  readonly http1: StatBlock;
  /** A block of `routeStats`. */
  readonly routeBlock: (virtualHost: string, statPrefix: string) => StatBlock;
}

/** An open connection, whatever codec serves it. */
export interface DownstreamConnection {
  /** The next response, or the one under way, is its last. */
  drain(): void;
}

/** How long an idle connection waits for one more request when its listener goes: whoever drains waits for it. */
export const drainedLastRequestMs = 250;

/** … and when its own time is over. */
export function lastRequestMsOf({ drainTimeoutMs }: HttpConnectionManager): number {
  return Math.max(1, drainTimeoutMs);
}

/** Told when a connection that a listener started is gone. */
export interface ConnectionCounter {
  onConnectionGone(): void;
}

/** Istio sets it to false: the fragment is cut off then. */
const rejectFragmentKey = 'envoy.reloadable_features.http_reject_path_with_fragment';

export interface ConnectionManagerOptions {
  readonly config: HttpConnectionManager;
  readonly context: HttpContext;
  readonly stats: StatBlock;
  /** Responses, counted by listener. */
  readonly listenerStats: StatBlock;
  readonly accessLoggers: readonly AccessLogger[];
  /** Null, or absent, without a tracing provider. */
  readonly tracer?: RequestTracer | null;
  /** Null, or absent, where requests are not counted by service and route. */
  readonly counter?: RequestCounter | null;
  /** Null, or absent, where sidecars tell each other nothing. */
  readonly peerMetadata?: PeerMetadataHeaders | null;
  /** Null, or absent, without Istio's metrics. */
  readonly istioStats?: IstioRequestStats | null;
}

export class ConnectionManager implements RouteTableUser {
  readonly config: HttpConnectionManager;
  readonly context: HttpContext;
  readonly stats: StatBlock;
  /** By name, it is another object after each change. */
  routes: RouteTable;
  readonly router: RouterFilter;
  readonly parserOptions: RequestParserOptions;
  readonly trailerLimits: BodyLimits;
  internalOnlyHeaders: readonly HeaderName[];
  readonly isInternalAddress: (ip: string) => boolean;
  readonly clientCert: ClientCertForwarder;
  /** What TLS handshakes with endpoints offer for its requests (`istio.alpn`); null leaves that to their clusters. */
  readonly offeredProtocols: readonly string[] | null;
  readonly normalizeAuthority: AuthorityNormalizer;
  readonly normalizePath: PathNormalizer;
  /** Null without a `local_reply_config`. */
  readonly localReplyMapping: LocalReplyMapping | null;
  readonly connections = new Set<DownstreamConnection>();
  /** Null without a tracing provider. */
  readonly tracer: RequestTracer | null;
  /** Null where sidecars tell each other nothing. */
  readonly peerMetadata: PeerMetadataHeaders | null;
  /** Responses close their connections: the listener is going away. */
  isDraining = false;
  readonly #counter: RequestCounter | null;
  readonly #istioStats: IstioRequestStats | null;
  readonly #listenerStats: StatBlock;
  readonly #accessLoggers: readonly AccessLogger[];
  readonly #serverLine: EncodedLine;
  /** One object for all lines: a logger writes at once and keeps nothing of it. */
  readonly #logContext: FormatContext = {
    info: new StreamInfo(),
    request: null,
    response: null,
    responseTrailers: null,
    localReplyBody: '',
    logType: 'DownstreamEnd',
  };

  constructor(options: ConnectionManagerOptions) {
    const { config, context } = options;
    this.config = config;
    this.context = context;
    this.stats = options.stats;
    this.#listenerStats = options.listenerStats;
    this.#accessLoggers = options.accessLoggers;
    this.tracer = options.tracer ?? null;
    this.#counter = options.counter ?? null;
    this.peerMetadata = options.peerMetadata ?? null;
    this.#istioStats = options.istioStats ?? null;
    this.router = config.httpFilters[config.httpFilters.length - 1]!.config;
    const compileContext = {
      suppressEnvoyHeaders: this.router.suppressEnvoyHeaders,
      corsFilter: config.corsFilter,
    };
    this.routes =
      config.routes.kind === 'inline'
        ? compileRouteTable(config.routes.routes, compileContext)
        : context.routeTables.use(config.routes.name, this, compileContext);
    this.internalOnlyHeaders = this.routes.config.internalOnlyHeaders.map(headerName);
    this.isInternalAddress = compileRanges(config.internalAddressRanges);
    this.clientCert = new ClientCertForwarder(config.forwardClientCert ?? { mode: 'sanitize', details: [] });
    const offered = config.alpnOverride?.http11 ?? [];
    this.offeredProtocols = offered.length === 0 ? null : offered;
    this.normalizeAuthority = compileAuthorityNormalizer(config);
    this.normalizePath = compilePathNormalizer(config);
    this.localReplyMapping = compileLocalReplyMapping(config.localReply, context.matchContext);
    this.#serverLine = encodeLine('server', config.serverName);
    this.trailerLimits = {
      maxTrailersBytes: config.maxRequestHeadersKb * 1024,
      maxTrailersCount: config.maxHeadersCount,
    };
    this.parserOptions = {
      maxHeadersBytes: config.maxRequestHeadersKb * 1024,
      maxHeadersCount: config.maxHeadersCount,
      underscores: config.headersWithUnderscores,
      allowAbsoluteUrl: config.http1.allowAbsoluteUrl,
      allowCustomMethods: config.http1.allowCustomMethods,
      acceptHttp10: config.http1.acceptHttp10,
      defaultHostForHttp10: config.http1.defaultHostForHttp10,
      rejectPathWithFragment: context.matchContext.runtime.get(rejectFragmentKey) !== false,
    };
  }

  /** Whether this route, or the connection manager for all routes, allows the protocol. */
  allowsUpgrade(protocol: string, route: CompiledRoute): boolean {
    const { action } = route;
    const own = action.kind === 'forward' ? action.config.upgrades[protocol] : undefined;
    return own ?? this.config.upgrades[protocol] ?? false;
  }

  /** The last edits of every response head: date, server, request id. */
  finishResponseHead(head: ResponseHead, stream: Stream): void {
    const { headers } = head;
    const { config } = this;
    if (headers.findId(HeaderId.date) < 0) headers.appendLine(this.context.dateLine.current);
    const { serverHeader } = config;
    if (serverHeader === 'overwrite') headers.setLine(this.#serverLine);
    else if (serverHeader === 'append-if-absent' && headers.findId(HeaderId.server) < 0) {
      headers.appendLine(this.#serverLine);
    }
    if (config.alwaysSetRequestIdInResponse && stream.info.requestId !== '') {
      headers.set(requestIdName, stream.info.requestId);
    }
    if (config.via !== '') {
      const via = headers.get(viaName);
      headers.set(viaName, via === undefined ? config.via : `${via}, ${config.via}`);
    }
  }

  /** The one log point: counters and access logs of a finished request. */
  logRequest(stream: Stream, response: ResponseHead | null, trailers: HeaderTable | null): void {
    const { stats } = this;
    const { info } = stream;
    stats.dec(httpStats.downstreamRqActive);
    const status = info.responseCode;
    if (status === 0) stats.inc(httpStats.downstreamRqRxReset);
    else if (stream.redirects === null || !stream.redirects.isLeaving) {
      countDownstreamResponse(stats, httpStats, status);
      countDownstreamResponse(this.#listenerStats, listenerHttpStats, status);
    }
    stats.record(httpStats.downstreamRqTime, info.endedAtMs - info.requestHeadAtMs);
    const { tracer } = this;
    const counter = this.#counter;
    const istioStats = this.#istioStats;
    if (tracer === null && counter === null && istioStats === null && this.#accessLoggers.length === 0) return;
    const logContext = this.#logContext;
    logContext.request = stream.head;
    logContext.response = response;
    logContext.responseTrailers = trailers;
    const isKept = tracer?.keeps(stream, logContext) === true;
    if (counter !== null) counter.count(stream, logContext);
    if (isKept || istioStats !== null || this.#accessLoggers.length > 0) {
      // Of what is stored here only this is a new object each time, which the collector of garbage has to be told of.
      logContext.info = info;
      // Logs tell whether the trace is kept.
      if (isKept) tracer.record(stream, logContext);
      if (istioStats !== null) istioStats.count(stream, logContext);
      for (let index = 0; index < this.#accessLoggers.length; index++) this.#accessLoggers[index]!.log(logContext);
    }
    if (tracer !== null) tracer.release(stream);
  }

  /** Requests that come from now on find their routes here. */
  setRoutes(table: RouteTable): void {
    this.routes = table;
    this.internalOnlyHeaders = table.config.internalOnlyHeaders.map(headerName);
  }

  /** The last connection is gone and none comes. */
  release(): void {
    const { routes } = this.config;
    if (routes.kind === 'rds') this.context.routeTables.release(routes.name, this);
  }

  /** Idle connections close, busy ones after their request. */
  drain(): void {
    this.isDraining = true;
    for (const connection of [...this.connections]) connection.drain();
  }
}

const requestIdName = headerName('x-request-id');
const viaName = headerName('via');
