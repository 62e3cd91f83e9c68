// Commands that read what is known of the request or connection.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators

import { hostname } from 'node:os';
import type { FormatCommand } from '../../config/format-commands.ts';
import { headerName } from '../http/header-name.ts';
import { newRequestId } from '../http/request-id.ts';
import { responseFlagNames, type StreamInfo } from '../http/stream-info.ts';
import { SamplingReason, samplingReasonNames } from '../tracing/sampling-reason.ts';
import { toByteString, withoutControls } from './byte-string.ts';
import type { FormatContext, Operator } from './format-context.ts';
import { maskedAddress } from './masked-address.ts';
import { compileIsoTime, compileLocalTimePattern, compileTimePattern, localIsoTime } from './time-format.ts';

type TextField = { [Key in keyof StreamInfo]: StreamInfo[Key] extends string ? Key : never }[keyof StreamInfo];
type NumberField = { [Key in keyof StreamInfo]: StreamInfo[Key] extends number ? Key : never }[keyof StreamInfo];

/** By command name: makes the operator for one use of the command. */
export const streamOperators: Readonly<Record<string, (command: FormatCommand) => Operator>> = {
  START_TIME: ({ argument }) => {
    const format = argument ? compileTimePattern(argument) : compileIsoTime();
    return ({ info }) => format(info.startWallMs);
  },
  START_TIME_LOCAL: ({ argument }) => {
    const format = compileLocalTimePattern(argument || localIsoTime);
    return ({ info }) => format(info.startWallMs);
  },
  EMIT_TIME: ({ argument }) => {
    const format = argument ? compileTimePattern(argument) : compileIsoTime();
    return ({ info }) => format(emittedWallMs(info));
  },
  EMIT_TIME_LOCAL: ({ argument }) => {
    const format = compileLocalTimePattern(argument || localIsoTime);
    return ({ info }) => format(emittedWallMs(info));
  },
  HOSTNAME: () => constant(hostname()),
  ENVIRONMENT: ({ argument }) => constant(withoutControls(toByteString(process.env[argument!] ?? '-'))),
  LOCAL_REPLY_BODY:
    () =>
    ({ localReplyBody }) =>
      localReplyBody,

  ACCESS_LOG_TYPE:
    () =>
    ({ logType }) =>
      logType ?? 'NotSet',
  UNIQUE_ID: () => newRequestId,
  // Filters set it, and none of ours does.
  CUSTOM_FLAGS: () => constant(''),
  // The inspector refuses to make them.
  TLS_JA3_FINGERPRINT: () => nothing,
  TLS_JA4_FINGERPRINT: () => nothing,

  PROTOCOL: text('protocol'),
  UPSTREAM_PROTOCOL:
    () =>
    ({ info }) =>
      info.upstreamConnectionNumber === 0 || info.protocol === '' ? null : 'HTTP/1.1',
  RESPONSE_CODE: number('responseCode'),
  RESPONSE_CODE_DETAILS: (command) =>
    (command.argument ? text('responseCodeDetails') : withoutBlanks('responseCodeDetails'))(),
  RESPONSE_FLAGS: () => shortFlags,
  RESPONSE_FLAGS_LONG: () => longFlags,
  DOWNSTREAM_DETECTED_CLOSE_TYPE: text('downstreamClose'),
  // An endpoint that was chosen has it, whether a connection came about or not.
  UPSTREAM_DETECTED_CLOSE_TYPE:
    () =>
    ({ info }) =>
      info.upstreamRemoteAddress === '' ? null : info.upstreamClose,
  CONNECTION_TERMINATION_DETAILS: text('connectionTerminationDetails'),
  FAILURE_REASON: text('failureReason'),

  BYTES_RECEIVED: number('requestBodyBytes'),
  BYTES_SENT: number('responseBodyBytes'),
  DOWNSTREAM_HEADER_BYTES_RECEIVED: number('requestHeaderBytes'),
  DOWNSTREAM_HEADER_BYTES_SENT: number('responseHeaderBytes'),
  // HTTP/1 compresses no headers.
  DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED: number('requestHeaderBytes'),
  DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: number('responseHeaderBytes'),
  DOWNSTREAM_WIRE_BYTES_RECEIVED:
    () =>
    ({ info }) =>
      info.requestHeaderBytes + info.requestBodyBytes,
  DOWNSTREAM_WIRE_BYTES_SENT:
    () =>
    ({ info }) =>
      info.responseHeaderBytes + info.responseBodyBytes,
  // Envoy counts both on QUIC alone.
  BYTES_RETRANSMITTED: () => () => 0,
  PACKETS_RETRANSMITTED: () => () => 0,
  UPSTREAM_WIRE_BYTES_SENT: number('upstreamBytesSent'),
  UPSTREAM_WIRE_BYTES_RECEIVED: number('upstreamBytesReceived'),
  UPSTREAM_HEADER_BYTES_SENT: knownNumber('upstreamHeadBytesSent'),
  UPSTREAM_HEADER_BYTES_RECEIVED: knownNumber('upstreamHeadBytesReceived'),
  UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: knownNumber('upstreamHeadBytesSent'),
  UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED: knownNumber('upstreamHeadBytesReceived'),

  DOWNSTREAM_REMOTE_ADDRESS: text('downstreamRemoteAddress'),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: addressOf('downstreamRemoteAddress'),
  DOWNSTREAM_REMOTE_PORT: portOf('downstreamRemoteAddress'),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: text('downstreamDirectRemoteAddress'),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: addressOf('downstreamDirectRemoteAddress'),
  DOWNSTREAM_DIRECT_REMOTE_PORT: portOf('downstreamDirectRemoteAddress'),
  DOWNSTREAM_LOCAL_ADDRESS: text('downstreamLocalAddress'),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: addressOf('downstreamLocalAddress'),
  DOWNSTREAM_LOCAL_PORT: portOf('downstreamLocalAddress'),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS: text('downstreamLocalAddress'),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT: addressOf('downstreamLocalAddress'),
  DOWNSTREAM_DIRECT_LOCAL_PORT: portOf('downstreamLocalAddress'),
  // Only addresses of internal listeners have them.
  DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID: () => constant(''),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID: () => constant(''),
  UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID: () => (context) => (attempted(context) === null ? null : ''),
  UPSTREAM_HOST: text('upstreamRemoteAddress'),
  UPSTREAM_HOST_NAME: () => hostName,
  UPSTREAM_HOST_NAME_WITHOUT_PORT: () => (context) => withoutPort(hostName(context)),
  // Of the last attempt alone, as in Envoy, if it had a connection.
  UPSTREAM_HOSTS_ATTEMPTED: () => attempted,
  UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT: () => (context) => withoutPort(attempted(context)),
  UPSTREAM_HOST_NAMES_ATTEMPTED: () => attemptedName,
  UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT: () => (context) => withoutPort(attemptedName(context)),
  UPSTREAM_CONNECTION_ID: number('upstreamConnectionNumber'),
  UPSTREAM_CONNECTION_IDS_ATTEMPTED:
    () =>
    ({ info }) =>
      info.upstreamConnectionNumber === 0 ? null : String(info.upstreamConnectionNumber),
  UPSTREAM_REMOTE_ADDRESS: text('upstreamRemoteAddress'),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: addressOf('upstreamRemoteAddress'),
  UPSTREAM_REMOTE_PORT: portOf('upstreamRemoteAddress'),
  UPSTREAM_LOCAL_ADDRESS: text('upstreamLocalAddress'),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: addressOf('upstreamLocalAddress'),
  UPSTREAM_LOCAL_PORT: portOf('upstreamLocalAddress'),

  // Envoy's "observability name"; the name itself is what RAW is for.
  UPSTREAM_CLUSTER: configured('upstreamClusterStatName'),
  UPSTREAM_CLUSTER_RAW: configured('upstreamCluster'),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: number('attemptCount'),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: withoutBlanks('downstreamTransportFailureReason'),
  UPSTREAM_TRANSPORT_FAILURE_REASON: withoutBlanks('upstreamTransportFailureReason'),
  ROUTE_NAME: configured('routeName'),
  VIRTUAL_HOST_NAME: configured('virtualHostName'),
  VIRTUAL_CLUSTER_NAME: configured('virtualCluster'),
  FILTER_CHAIN_NAME: configured('filterChainName'),
  LISTENER_NAME: configured('listenerName'),
  REQUESTED_SERVER_NAME: text('requestedServerName'),
  CONNECTION_ID: number('connectionId'),
  STREAM_ID: text('requestId'),
  TRACE_ID: () => traceId,
  SPAN_ID:
    () =>
    ({ info }) =>
      info.trace === null ? null : info.trace.spanIdText,
  SAMPLING_REASON:
    () =>
    ({ info }) =>
      info.trace === null || info.trace.reason === SamplingReason.none ? null : samplingReasonNames[info.trace.reason]!,
};

function constant(value: string): Operator {
  return () => value;
}

// Some fields hold a peer's bytes (the server name) or a library's text; none may end the line it stands in.
function text(field: TextField): () => Operator {
  return () =>
    ({ info }) => {
      const value = info[field];
      return value === '' ? null : withoutControls(value);
    };
}

// A name of the configuration may have any character.
function configured(field: TextField): () => Operator {
  return () =>
    ({ info }) => {
      const value = info[field];
      return value === '' ? null : withoutControls(toByteString(value));
    };
}

// A field between blanks in a log, as Envoy writes it.
function withoutBlanks(field: TextField): () => Operator {
  return () =>
    ({ info }) => {
      const value = info[field];
      return value === '' ? null : withoutControls(value).replaceAll(' ', '_');
    };
}

function number(field: NumberField): () => Operator {
  return () =>
    ({ info }) =>
      info[field];
}

/** -1 is a number that is not known. */
function knownNumber(field: NumberField): () => Operator {
  return () =>
    ({ info }) =>
      info[field] < 0 ? null : info[field];
}

function nothing(): null {
  return null;
}

/** When the line is written: the request's end, or as far as it has come. */
function emittedWallMs(info: StreamInfo): number {
  const newest = Math.max(
    info.startedAtMs,
    info.endedAtMs,
    info.downstreamResponseStartAtMs,
    info.responseHeadAtMs,
    info.upstreamRequestStartAtMs,
  );
  return info.startWallMs + newest - info.startedAtMs;
}

function hostName({ info }: FormatContext): string | null {
  const name = info.upstreamHostname || info.upstreamRemoteAddress;
  return name === '' ? null : withoutControls(toByteString(name));
}

function attempted({ info }: FormatContext): string | null {
  return info.upstreamConnectionNumber === 0 ? null : withoutControls(info.upstreamRemoteAddress);
}

function attemptedName(context: FormatContext): string | null {
  return attempted(context) === null ? null : hostName(context);
}

function addressOf(field: TextField): (command: FormatCommand) => Operator {
  return ({ argument }) => {
    if (!argument) return ({ info }) => withoutPort(info[field]);
    const bits = Number(argument);
    return ({ info }) => maskedAddress(withoutPort(info[field]), bits);
  };
}

function withoutPort(value: string | null): string | null {
  if (value === null || value === '') return null;
  const colon = value.lastIndexOf(':');
  if (colon < 0 || value.startsWith('/')) return value;
  return value.charCodeAt(0) === 0x5b ? value.slice(1, colon - 1) : value.slice(0, colon);
}

function portOf(field: TextField): () => Operator {
  return () =>
    ({ info }) => {
      const value = info[field];
      const colon = value.lastIndexOf(':');
      return colon < 0 || value.startsWith('/') ? null : Number(value.slice(colon + 1));
    };
}

function shortFlags({ info }: FormatContext): string {
  if (info.responseFlags === 0) return '-';
  let names = '';
  for (const flag of responseFlagNames) {
    if ((info.responseFlags & flag.bit) !== 0) names += names === '' ? flag.short : `,${flag.short}`;
  }
  return names;
}

function longFlags({ info }: FormatContext): string {
  if (info.responseFlags === 0) return '-';
  let names = '';
  for (const flag of responseFlagNames) {
    if ((info.responseFlags & flag.bit) !== 0) names += names === '' ? flag.long : `,${flag.long}`;
  }
  return names;
}

const traceparent = headerName('traceparent');

// Of the trace that we take part in. Without a provider Envoy has nothing to say; the id that the caller sent is what a
// reader of the log looks for then (https://www.w3.org/TR/trace-context/#traceparent-header): 32 digits behind the version.
function traceId({ info, request }: FormatContext): string | null {
  if (info.trace !== null) return info.trace.traceIdText;
  const row = request === null ? -1 : request.headers.find(traceparent);
  if (row < 0) return null;
  const value = request!.headers.value(row);
  return value.length >= 55 ? value.slice(3, 35) : null;
}
