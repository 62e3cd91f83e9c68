// What a route does: forward, redirect or reply (`config.route.v3.RouteAction` and its siblings).

import type { Problems } from '../../config/problems.ts';
import type {
  DirectResponseAction,
  ForwardAction,
  GrpcTimeout,
  RedirectAction,
  RouteAction,
} from '../../config/route.ts';
import type {
  DirectResponseAction as DirectResponseMessage,
  RouteAction as ForwardMessage,
  RedirectAction as RedirectMessage,
  RouteMatch as RouteMatchMessage,
  Route as RouteMessage,
  SubstitutionFormatString,
} from '../generated/messages.ts';
import { decodeDataSource } from './data-source.ts';
import { decodeMetadata } from './endpoint.ts';
import { decodeForwardTarget } from './forward-target.ts';
import { given } from './given.ts';
import { decodeInternalRedirect } from './internal-redirect.ts';
import { checkedFormat, decodeLogFormat } from './log-format.ts';
import { decodePathRewritePolicy } from './path-policy.ts';
import { decodeRegexSubstitution } from './regex.ts';
import { decodeRetryPolicy } from './retry-policy.ts';

/** Of the members of the oneof `action`. Direct responses with more than `maxBodyBytes` are a problem. */
export function decodeRouteAction(
  message: RouteMessage,
  maxBodyBytes: number,
  problems: Problems,
): RouteAction | undefined {
  if (message.route !== undefined) return decodeForward(message.route, message.match, problems.at('route'));
  if (message.redirect !== undefined) return decodeRedirect(message.redirect, problems.at('redirect'));
  if (message.directResponse === undefined) return undefined;
  return decodeDirectResponse(message.directResponse, maxBodyBytes, problems.at('direct_response'));
}

/** Envoy's default of `timeout`. */
const defaultTimeoutMs = 15_000;
const notFoundStatuses = { SERVICE_UNAVAILABLE: 503, NOT_FOUND: 404, INTERNAL_SERVER_ERROR: 500 } as const;

function decodeForward(
  message: ForwardMessage,
  match: RouteMatchMessage | undefined,
  problems: Problems,
): ForwardAction | undefined {
  const target = decodeForwardTarget(message, problems);
  const rewrites = { ...decodePathRewrite(message, match, problems), ...decodeHostRewrite(message, problems) };
  const retryPolicy = message.retryPolicy && decodeRetryPolicy(message.retryPolicy, problems.at('retry_policy'));
  const { internalRedirectPolicy } = message;
  const internalRedirect =
    internalRedirectPolicy && decodeInternalRedirect(internalRedirectPolicy, problems.at('internal_redirect_policy'));
  const upgrades = decodeRouteUpgrades(message, problems.at('upgrade_configs'));
  if (target === undefined) return undefined;
  return {
    kind: 'forward',
    target,
    clusterNotFoundStatus: notFoundStatuses[message.clusterNotFoundResponseCode ?? 'SERVICE_UNAVAILABLE'],
    ...rewrites,
    appendForwardedHost: message.appendXForwardedHost ?? false,
    // `max_stream_duration` takes the place of `timeout`, also where it says nothing itself, as in Envoy.
    timeoutMs: message.maxStreamDuration === undefined ? (message.timeout ?? defaultTimeoutMs) : 0,
    ...given('idleTimeoutMs', message.idleTimeout),
    ...given('maxStreamDurationMs', message.maxStreamDuration?.maxStreamDuration),
    ...given('grpcTimeout', decodeGrpcTimeout(message)),
    ...given('retryPolicy', retryPolicy),
    ...given('internalRedirect', internalRedirect),
    priority: message.priority === 'HIGH' ? 'high' : 'default',
    upgrades,
    ...given('connectTermination', decodeConnectTermination(message, problems.at('upgrade_configs'))),
    metadataMatch: decodeMetadata(message.metadataMatch),
  };
}

/** `max_stream_duration` takes the place of the older fields, as in Envoy. */
function decodeGrpcTimeout(message: ForwardMessage): GrpcTimeout | undefined {
  const duration = message.maxStreamDuration;
  const maxMs = duration === undefined ? message.maxGrpcTimeout : duration.grpcTimeoutHeaderMax;
  const offsetMs = duration === undefined ? message.grpcTimeoutOffset : duration.grpcTimeoutHeaderOffset;
  if (maxMs === undefined) return undefined;
  return { limits: duration === undefined ? 'timeout' : 'stream-duration', maxMs, offsetMs: offsetMs ?? 0 };
}

function decodePathRewrite(
  message: ForwardMessage,
  match: RouteMatchMessage | undefined,
  problems: Problems,
): Pick<ForwardAction, 'pathRewrite'> {
  const { prefixRewrite, regexRewrite, pathRewrite, pathRewritePolicy } = message;
  if (pathRewritePolicy) {
    const place = problems.at('path_rewrite_policy');
    if (prefixRewrite !== undefined || regexRewrite !== undefined || pathRewrite !== undefined) {
      place.add('it may not be set beside prefix_rewrite, regex_rewrite or path_rewrite');
    }
    return given('pathRewrite', decodePathRewritePolicy(pathRewritePolicy, match?.pathMatchPolicy, place));
  }
  if (prefixRewrite !== undefined && regexRewrite !== undefined) {
    problems.at('regex_rewrite').add('only one of prefix_rewrite and regex_rewrite may be set');
  }
  if (pathRewrite) {
    const other = prefixRewrite === undefined ? 'regex_rewrite' : 'prefix_rewrite';
    if (prefixRewrite !== undefined || regexRewrite !== undefined) {
      problems.at('path_rewrite').add(`only one of ${other} and path_rewrite may be set`);
    }
    return { pathRewrite: { kind: 'format', format: oneLineFormat(pathRewrite, problems.at('path_rewrite')) } };
  }
  if (prefixRewrite !== undefined) return { pathRewrite: { kind: 'prefix', replacement: prefixRewrite } };
  const rewrite = decodeRegexSubstitution(message.regexRewrite, problems.at('regex_rewrite'));
  return rewrite === undefined ? {} : { pathRewrite: { kind: 'regex', ...rewrite } };
}

function decodeHostRewrite(message: ForwardMessage, problems: Problems): Pick<ForwardAction, 'hostRewrite'> {
  if (message.hostRewriteLiteral !== undefined) {
    return { hostRewrite: { kind: 'literal', value: message.hostRewriteLiteral } };
  }
  if (message.autoHostRewrite === true) return { hostRewrite: { kind: 'auto' } };
  if (message.hostRewriteHeader !== undefined) {
    return { hostRewrite: { kind: 'header', name: message.hostRewriteHeader } };
  }
  if (message.hostRewrite) {
    return { hostRewrite: { kind: 'format', format: oneLineFormat(message.hostRewrite, problems.at('host_rewrite')) } };
  }
  const rewrite = decodeRegexSubstitution(message.hostRewritePathRegex, problems.at('host_rewrite_path_regex'));
  return rewrite === undefined ? {} : { hostRewrite: { kind: 'path-regex', ...rewrite } };
}

function oneLineFormat(format: string, problems: Problems): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these three would let it begin another header.
  if (/[\u0000\r\n]/.test(format)) problems.add('must not hold line breaks or zero bytes');
  return checkedFormat(format, problems);
}

const noUpgrades: { readonly [protocol: string]: boolean } = {};

/** The form is that of the connection manager's `upgrade_configs` too. */
export function decodeUpgrades(
  messages: readonly { readonly upgradeType?: string; readonly enabled?: boolean }[] | undefined,
  problems: Problems,
): { readonly [protocol: string]: boolean } {
  if (messages === undefined) return noUpgrades;
  const upgrades: { [protocol: string]: boolean } = {};
  for (const [index, { upgradeType = '', enabled = true }] of messages.entries()) {
    const protocol = upgradeType.toLowerCase();
    if (protocol in upgrades) problems.item(index).at('upgrade_type').add(`${upgradeType} exists already`);
    upgrades[protocol] = enabled;
  }
  return upgrades;
}

function decodeRouteUpgrades(message: ForwardMessage, problems: Problems): ForwardAction['upgrades'] {
  return decodeUpgrades(message.upgradeConfigs, problems);
}

function decodeConnectTermination(message: ForwardMessage, problems: Problems): ForwardAction['connectTermination'] {
  let termination: ForwardAction['connectTermination'];
  for (const [index, { upgradeType = '', enabled = true, connectConfig }] of (message.upgradeConfigs ?? []).entries()) {
    if (connectConfig === undefined) continue;
    if (upgradeType.toLowerCase() !== 'connect') {
      problems.item(index).at('connect_config').add(`is for upgrade_type CONNECT only, not for ${upgradeType}`);
    } else if (enabled) termination = { allowsPost: connectConfig.allowPost ?? false };
  }
  return termination;
}

const redirectStatuses = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
} as const;

function decodeRedirect(message: RedirectMessage, problems: Problems): RedirectAction {
  return {
    kind: 'redirect',
    status: redirectStatuses[message.responseCode ?? 'MOVED_PERMANENTLY'],
    https: message.httpsRedirect ?? false,
    ...given('scheme', message.schemeRedirect),
    ...given('host', message.hostRedirect),
    ...given('port', message.portRedirect),
    ...given('path', decodeRedirectPath(message, problems)),
    stripQuery: message.stripQuery ?? false,
  };
}

function decodeRedirectPath(message: RedirectMessage, problems: Problems): RedirectAction['path'] {
  if (message.pathRedirect !== undefined) return { kind: 'replace', value: message.pathRedirect };
  if (message.prefixRewrite !== undefined) return { kind: 'prefix', replacement: message.prefixRewrite };
  if (message.pathRewrite) {
    return { kind: 'format', format: oneLineFormat(message.pathRewrite, problems.at('path_rewrite')) };
  }
  const rewrite = decodeRegexSubstitution(message.regexRewrite, problems.at('regex_rewrite'));
  return rewrite === undefined ? undefined : { kind: 'regex', ...rewrite };
}

function decodeDirectResponse(
  message: DirectResponseMessage,
  maxBodyBytes: number,
  problems: Problems,
): DirectResponseAction | undefined {
  const body = message.body === undefined ? new Uint8Array() : decodeDataSource(message.body, problems.at('body'));
  if (message.status === undefined || body === undefined) return undefined;
  if (body.length > maxBodyBytes) {
    problems.at('body').add(`has ${body.length} bytes; max_direct_response_body_size_bytes is ${maxBodyBytes}`);
  }
  const bodyFormat = decodeBodyFormat(message.bodyFormat, problems.at('body_format'));
  return { kind: 'direct-response', status: message.status, body, ...given('bodyFormat', bodyFormat) };
}

function decodeBodyFormat(
  message: SubstitutionFormatString | undefined,
  problems: Problems,
): DirectResponseAction['bodyFormat'] {
  const format = message && decodeLogFormat(message, problems);
  const usualType = format?.kind === 'json' ? 'application/json' : '';
  return format && { format, contentType: message?.contentType || usualType };
}
