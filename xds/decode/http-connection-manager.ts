// The HTTP connection manager (`extensions.filters.network.http_connection_manager.v3`).

import type { ForwardClientCert, HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { Problems } from '../../config/problems.ts';
import type { HttpConnectionManager as Message } from '../generated/messages.ts';
import { decodeAccessLogs } from './access-log.ts';
import { decodeCidrRanges } from './address.ts';
import { decodeCorsFilter } from './cors.ts';
import { given } from './given.ts';
import { decodeHttpFilters } from './http-filter.ts';
import { decodeHttp1Options } from './http1-options.ts';
import { decodeIstioHttpFilters } from './istio-filter.ts';
import { decodeLocalReply } from './local-reply.ts';
import { decodeOnDemandFilter } from './on-demand.ts';
import { decodeUpgrades } from './route-action.ts';
import { decodeRouteSource } from './route-source.ts';
import { decodeTracing } from './tracing.ts';

/** Undefined when it has no route configuration that could be read. */
export function decodeHttpConnectionManager(message: Message, problems: Problems): HttpConnectionManager | undefined {
  const httpFilters = decodeHttpFilters(message.httpFilters, problems.at('http_filters'));
  const startsChildSpan = httpFilters.some(({ config }) => config.startChildSpan);
  const parts = {
    accessLogs: decodeAccessLogs(message.accessLog, problems.at('access_log')),
    localReply: decodeLocalReply(message.localReplyConfig ?? {}, problems.at('local_reply_config')),
    ...decodeClientIdentity(message, problems),
    ...decodeIstioHttpFilters(message.httpFilters, problems.at('http_filters')),
    ...given('corsFilter', decodeCorsFilter(message.httpFilters, problems.at('http_filters'))),
    ...given('onDemand', decodeOnDemandFilter(message.httpFilters, problems.at('http_filters'))),
    ...given('forwardClientCert', decodeForwardClientCert(message)),
    ...given('tracing', decodeTracing(message, startsChildSpan, problems)),
    ...decodePathOptions(message, problems),
    ...decodeResponseOptions(message),
    ...decodeLimits(message),
    http1: decodeHttp1Options(message.httpProtocolOptions, problems.at('http_protocol_options')),
    upgrades: decodeUpgrades(message.upgradeConfigs, problems.at('upgrade_configs')),
  };
  const codec = decodeCodec(message, problems.at('codec_type'));
  const routes = decodeRouteSource(message, problems);
  if (routes === undefined) return undefined;
  return { statPrefix: message.statPrefix ?? '', codec, routes, httpFilters, ...parts };
}

function decodeCodec(message: Message, problems: Problems): HttpConnectionManager['codec'] {
  const codec = message.codecType ?? 'AUTO';
  if (codec === 'HTTP2' || codec === 'HTTP3') problems.unsupported(codec, 'write AUTO or HTTP1');
  return codec === 'AUTO' ? 'auto' : 'http1';
}

function decodeClientIdentity(message: Message, problems: Problems) {
  const internal = message.internalAddressConfig;
  const ranges = decodeCidrRanges(internal?.cidrRanges, problems.at('internal_address_config').at('cidr_ranges'));
  const scheme = message.schemeHeaderTransformation?.schemeToOverwrite;
  return {
    useRemoteAddress: message.useRemoteAddress ?? false,
    xffNumTrustedHops: message.xffNumTrustedHops ?? 0,
    skipXffAppend: message.skipXffAppend ?? false,
    internalAddressRanges: ranges,
    unixSocketsAreInternal: internal?.unixSockets ?? false,
    representIpv4RemoteAsIpv4Mapped: message.representIpv4RemoteAddressAsIpv4MappedIpv6 ?? false,
    via: message.via ?? '',
    generateRequestId: message.generateRequestId ?? true,
    preserveExternalRequestId: message.preserveExternalRequestId ?? false,
    alwaysSetRequestIdInResponse: message.alwaysSetRequestIdInResponse ?? false,
    scheme:
      scheme === undefined
        ? ({ kind: 'as-received' } as const)
        : ({ kind: 'overwrite', scheme: scheme === 'https' ? 'https' : 'http' } as const),
  };
}

const forwardModes = {
  SANITIZE: 'sanitize',
  FORWARD_ONLY: 'forward-only',
  APPEND_FORWARD: 'append-forward',
  SANITIZE_SET: 'sanitize-set',
  ALWAYS_FORWARD_ONLY: 'always-forward-only',
} as const;

/** What it writes is in Envoy's order, whatever the order of the file. */
function decodeForwardClientCert(message: Message): ForwardClientCert | undefined {
  const mode = forwardModes[message.forwardClientCertDetails ?? 'SANITIZE'];
  if (mode === 'sanitize') return undefined;
  const set = message.setCurrentClientCertDetails ?? {};
  const details = clientCertDetails.filter((detail) => set[detail] === true);
  return { mode, details };
}

const clientCertDetails = ['cert', 'chain', 'subject', 'uri', 'dns'] as const;

const escapedSlashes = {
  IMPLEMENTATION_SPECIFIC_DEFAULT: 'keep',
  KEEP_UNCHANGED: 'keep',
  REJECT_REQUEST: 'reject',
  UNESCAPE_AND_REDIRECT: 'unescape-and-redirect',
  UNESCAPE_AND_FORWARD: 'unescape-and-forward',
} as const;

function decodePathOptions(message: Message, problems: Problems) {
  const stripsMatching = message.stripMatchingHostPort === true;
  const stripsAny = message.stripAnyHostPort === true;
  if (stripsMatching && stripsAny) {
    problems.at('strip_any_host_port').add('only one of strip_matching_host_port and strip_any_host_port may be set');
  }
  const stripPort: HttpConnectionManager['stripPort'] = stripsAny ? 'any' : stripsMatching ? 'matching' : 'none';
  return {
    normalizePath: message.normalizePath ?? false,
    mergeSlashes: message.mergeSlashes ?? false,
    escapedSlashes: escapedSlashes[message.pathWithEscapedSlashesAction ?? 'IMPLEMENTATION_SPECIFIC_DEFAULT'],
    stripPort,
    stripTrailingHostDot: message.stripTrailingHostDot ?? false,
  };
}

const serverHeaders = {
  OVERWRITE: 'overwrite',
  APPEND_IF_ABSENT: 'append-if-absent',
  PASS_THROUGH: 'pass-through',
} as const;

function decodeResponseOptions(message: Message) {
  return {
    serverName: message.serverName ?? 'envoy',
    serverHeader: serverHeaders[message.serverHeaderTransformation ?? 'OVERWRITE'],
    proxy100Continue: message.proxy100Continue ?? false,
    // The option of the protocol wins over that of the connection manager.
    streamErrorOnInvalidMessage:
      message.httpProtocolOptions?.overrideStreamErrorOnInvalidHttpMessage ??
      message.streamErrorOnInvalidHttpMessage ??
      false,
  };
}

const underscores = { ALLOW: 'allow', REJECT_REQUEST: 'reject-request', DROP_HEADER: 'drop-header' } as const;
const hourMs = 3_600_000;

/** Envoy's defaults. */
function decodeLimits(message: Message) {
  const common = message.commonHttpProtocolOptions ?? {};
  return {
    maxRequestHeadersKb: message.maxRequestHeadersKb ?? 60,
    maxHeadersCount: common.maxHeadersCount ?? 100,
    headersWithUnderscores: underscores[common.headersWithUnderscoresAction ?? 'ALLOW'],
    idleTimeoutMs: common.idleTimeout ?? hourMs,
    maxConnectionDurationMs: common.maxConnectionDuration ?? 0,
    maxStreamDurationMs: common.maxStreamDuration ?? 0,
    maxRequestsPerConnection: common.maxRequestsPerConnection ?? 0,
    streamIdleTimeoutMs: message.streamIdleTimeout ?? 300_000,
    requestTimeoutMs: message.requestTimeout ?? 0,
    requestHeadersTimeoutMs: message.requestHeadersTimeout ?? 0,
    drainTimeoutMs: message.drainTimeout ?? 5_000,
    delayedCloseTimeoutMs: message.delayedCloseTimeout ?? 1_000,
  };
}
