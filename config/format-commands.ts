// The grammar of format strings: which `%COMMAND%` operators exist and how each may be written. It is here, beside the
// domain types, because the decoders refuse what the formatter of the data plane could not write.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators

import type { JsonFormat, JsonFormatValue } from './access-log.ts';
import { readCoalesced } from './coalesced-commands.ts';

/** How a command takes what stands between its parentheses. */
export type ArgumentRule = 'none' | 'optional' | 'required';

export interface FormatCommandRule {
  readonly arguments: ArgumentRule;
  /** Whether `:N` may follow, which keeps the first N characters. */
  readonly length: boolean;
}

/** A command as it stands in a format string. */
export interface FormatCommand {
  readonly name: string;
  /** What stands between the parentheses; null without parentheses. */
  readonly argument: string | null;
  readonly maxLength: number | null;
}

/** A format string taken apart: literal text (with `%%` undone) and commands, in order. */
export interface ParsedFormat {
  readonly pieces: readonly (string | FormatCommand)[];
  /** Sentences that say what is wrong; empty when the format can be written. */
  readonly errors: readonly string[];
}

/** What is told of a certificate. Envoy has most of these for a peer, and the names for our own. */
const certificateCommands = [
  'SUBJECT',
  'ISSUER',
  'SERIAL',
  'FINGERPRINT_256',
  'FINGERPRINT_1',
  'URI_SAN',
  'DNS_SAN',
  'IP_SAN',
  'EMAIL_SAN',
  'OTHERNAME_SAN',
  'CERT',
];

/** Every supported command. */
export const formatCommands: ReadonlyMap<string, FormatCommandRule> = new Map([
  ...rules('none', false, [
    'ACCESS_LOG_TYPE',
    'BYTES_RECEIVED',
    'BYTES_RETRANSMITTED',
    'BYTES_SENT',
    'CONNECTION_ID',
    'CONNECTION_TERMINATION_DETAILS',
    'CUSTOM_FLAGS',
    'DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED',
    'DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT',
    'DOWNSTREAM_DIRECT_LOCAL_ADDRESS',
    'DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID',
    'DOWNSTREAM_DIRECT_LOCAL_PORT',
    'DOWNSTREAM_DIRECT_REMOTE_ADDRESS',
    'DOWNSTREAM_DIRECT_REMOTE_PORT',
    'DOWNSTREAM_DETECTED_CLOSE_TYPE',
    'DOWNSTREAM_LOCAL_ADDRESS',
    'DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID',
    'DOWNSTREAM_LOCAL_PORT',
    'DOWNSTREAM_REMOTE_ADDRESS',
    'DOWNSTREAM_REMOTE_PORT',
    'DOWNSTREAM_HEADER_BYTES_RECEIVED',
    'DOWNSTREAM_HEADER_BYTES_SENT',
    'DOWNSTREAM_TRANSPORT_FAILURE_REASON',
    'DOWNSTREAM_WIRE_BYTES_RECEIVED',
    'DOWNSTREAM_WIRE_BYTES_SENT',
    'DURATION',
    'FAILURE_REASON',
    'FILTER_CHAIN_NAME',
    'GRPC_STATUS_NUMBER',
    'HOSTNAME',
    'LISTENER_NAME',
    'LOCAL_REPLY_BODY',
    'PACKETS_RETRANSMITTED',
    'PROTOCOL',
    'REQUESTED_SERVER_NAME',
    'REQUEST_DURATION',
    'REQUEST_HEADERS_BYTES',
    'REQUEST_TX_DURATION',
    'RESPONSE_CODE',
    'RESPONSE_DURATION',
    'RESPONSE_FLAGS',
    'RESPONSE_FLAGS_LONG',
    'RESPONSE_HEADERS_BYTES',
    'RESPONSE_TRAILERS_BYTES',
    'RESPONSE_TX_DURATION',
    'ROUNDTRIP_DURATION',
    'ROUTE_NAME',
    'SAMPLING_REASON',
    'SPAN_ID',
    'STREAM_ID',
    'TLS_JA3_FINGERPRINT',
    'TLS_JA4_FINGERPRINT',
    'TRACE_ID',
    'UNIQUE_ID',
    'UPSTREAM_CLUSTER',
    'UPSTREAM_CLUSTER_RAW',
    'UPSTREAM_CONNECTION_ID',
    'UPSTREAM_CONNECTION_IDS_ATTEMPTED',
    'UPSTREAM_CONNECTION_POOL_READY_DURATION',
    'UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED',
    'UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT',
    'UPSTREAM_DETECTED_CLOSE_TYPE',
    'UPSTREAM_HEADER_BYTES_RECEIVED',
    'UPSTREAM_HEADER_BYTES_SENT',
    'UPSTREAM_HOST',
    'UPSTREAM_HOSTS_ATTEMPTED',
    'UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT',
    'UPSTREAM_HOST_NAME',
    'UPSTREAM_HOST_NAMES_ATTEMPTED',
    'UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT',
    'UPSTREAM_HOST_NAME_WITHOUT_PORT',
    'UPSTREAM_LOCAL_ADDRESS',
    'UPSTREAM_LOCAL_PORT',
    'UPSTREAM_PROTOCOL',
    'UPSTREAM_REMOTE_ADDRESS',
    'UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID',
    'UPSTREAM_REMOTE_PORT',
    'UPSTREAM_REQUEST_ATTEMPT_COUNT',
    'UPSTREAM_TRANSPORT_FAILURE_REASON',
    'UPSTREAM_WIRE_BYTES_RECEIVED',
    'UPSTREAM_WIRE_BYTES_SENT',
    'VIRTUAL_CLUSTER_NAME',
    'VIRTUAL_HOST_NAME',
  ]),
  ...rules(
    'none',
    false,
    ['DOWNSTREAM', 'UPSTREAM'].flatMap((side) => [
      ...['TLS_VERSION', 'TLS_CIPHER', 'TLS_GROUP', 'TLS_SESSION_ID'].map((name) => `${side}_${name}`),
      ...certificateCommands.flatMap((name) => [`${side}_PEER_${name}`, `${side}_LOCAL_${name}`]),
    ]),
  ),
  ...rules('none', false, [
    'DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256',
    'DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1',
    'DOWNSTREAM_PEER_CHAIN_SERIALS',
    'DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256',
    'DOWNSTREAM_PEER_ISSUER_SERIAL',
    'UPSTREAM_SERVER_NAME',
  ]),
  ...rules('optional', false, [
    'DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT',
    'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT',
    'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT',
    'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
    'EMIT_TIME',
    'EMIT_TIME_LOCAL',
    'GRPC_STATUS',
    'RESPONSE_CODE_DETAILS',
    'START_TIME',
    'START_TIME_LOCAL',
    'UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT',
    'UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
    ...['DOWNSTREAM_PEER', 'DOWNSTREAM_LOCAL', 'UPSTREAM_PEER', 'UPSTREAM_LOCAL'].flatMap((owner) => [
      `${owner}_CERT_V_START`,
      `${owner}_CERT_V_END`,
    ]),
  ]),
  ...rules('optional', true, ['PATH', 'QUERY_PARAMS']),
  ...rules('required', false, ['COMMON_DURATION']),
  ...rules('required', true, [
    'CLUSTER_METADATA',
    'COALESCE',
    'DYNAMIC_METADATA',
    'ENVIRONMENT',
    'METADATA',
    'FILTER_STATE',
    'QUERY_PARAM',
    'REQ',
    'REQUEST_HEADER',
    'REQ_WITHOUT_QUERY',
    'RESP',
    'RESPONSE_HEADER',
    'RESPONSE_TRAILER',
    'STREAM_INFO_REQ',
    'TRAILER',
    'UPSTREAM_FILTER_STATE',
    'UPSTREAM_METADATA',
  ]),
]);

/** The format of a log line when the configuration gives none. */
export const defaultTextFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
  '%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ' +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" ' +
  '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Takes a format string apart. Never throws. */
export function parseFormat(text: string): ParsedFormat {
  const pieces: (string | FormatCommand)[] = [];
  const errors: string[] = [];
  let literal = '';
  let at = 0;
  while (at < text.length) {
    const percent = text.indexOf('%', at);
    if (percent < 0) break;
    literal += text.slice(at, percent);
    if (text[percent + 1] === '%') {
      literal += '%';
      at = percent + 2;
      continue;
    }
    commandSyntax.lastIndex = percent;
    const found = commandSyntax.exec(text);
    if (found === null) {
      errors.push(`position ${percent}: % must begin a command such as %PROTOCOL% or be written %%`);
      return { pieces, errors };
    }
    const command = {
      name: found[1]!,
      argument: found[2] ?? null,
      maxLength: found[3] === undefined ? null : Number(found[3]),
    };
    const error = checkCommand(command);
    if (error !== null) errors.push(error);
    if (literal !== '') pieces.push(literal);
    literal = '';
    pieces.push(command);
    at = commandSyntax.lastIndex;
  }
  literal += text.slice(at);
  if (literal !== '') pieces.push(literal);
  return { pieces, errors };
}

/** What is wrong with a format string, a sentence each; empty when it can be written. */
export function validateFormat(text: string): readonly string[] {
  return parseFormat(text).errors;
}

/** What is wrong with the string leaves of a JSON format, each with the path of its key. */
export function validateJsonFormat(format: JsonFormat): readonly string[] {
  return validateJsonValue(format, '');
}

function validateJsonValue(value: JsonFormatValue, path: string): readonly string[] {
  if (typeof value === 'string') return validateFormat(value).map((error) => `${path}: ${error}`);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    validateJsonValue(item as JsonFormatValue, path === '' ? key : `${path}.${key}`),
  );
}

// As in Envoy, an argument holds no closing parenthesis; it may hold `%`, as the times of START_TIME do.
const commandSyntax = /%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::([0-9]+))?%/y;

function checkCommand({ name, argument, maxLength }: FormatCommand): string | null {
  const rule = formatCommands.get(name);
  if (rule === undefined) {
    const insteadOf = insteads[name];
    return `%${name}% is not a supported command${insteadOf === undefined ? '' : `; ${insteadOf}`}`;
  }
  // Empty parentheses are as good as none, as in Envoy.
  if (rule.arguments === 'none' && argument !== null && argument !== '') return `%${name}% takes no argument`;
  if (rule.arguments === 'required' && (argument === null || argument === '')) return `%${name}% needs an argument`;
  if (!rule.length && maxLength !== null) return `%${name}% takes no length`;
  return argument === null ? null : checkArgument(name, argument);
}

const expression = 'expressions are not evaluated: write a command for each attribute, such as %REQ(:PATH)%';
const closed = 'write %CONNECTION_TERMINATION_DETAILS%, %RESPONSE_CODE_DETAILS% or %FAILURE_REASON%';
const routing = 'how long the route is looked for is not measured; %ROUTE_NAME% says which it is';

/** What Envoy can tell and we cannot, and what comes nearest. */
const insteads: Readonly<Record<string, string>> = {
  CEL: expression,
  TYPED_CEL: expression,
  DOWNSTREAM_LOCAL_CLOSE_REASON: closed,
  UPSTREAM_LOCAL_CLOSE_REASON: closed,
  DOWNSTREAM_CX_RTT: 'the kernel is not asked about connections; %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)% is measured',
  DOWNSTREAM_HANDSHAKE_DURATION: 'handshakes are counted, not timed; %DURATION% is of the request or connection',
  ROUTE_RESOLUTION_COUNT: routing,
  ROUTE_RESOLUTION_TIME_US: routing,
};

function checkArgument(name: string, argument: string): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these three would let a format inject lines.
  if (/[\u0000\r\n]/.test(argument)) return `%${name}()% may not hold line breaks`;
  if (name === 'COALESCE') return checkCoalesced(argument);
  const demand = name.endsWith('_ADDRESS_WITHOUT_PORT') ? maskLength : argumentDemands[name];
  return demand === undefined || demand.isMet(argument) ? null : `%${name}(${argument})% must ${demand.words}`;
}

function checkCoalesced(argument: string): string | null {
  const commands = readCoalesced(argument);
  if (typeof commands === 'string') return commands;
  for (const command of commands) {
    const error = checkCommand(command);
    if (error !== null) return `in %COALESCE()%: ${error}`;
  }
  return null;
}

/** What the argument of a command must be, and how to say so. */
interface ArgumentDemand {
  readonly isMet: (argument: string) => boolean;
  readonly words: string;
}

const oneOf = (words: string, ...choices: readonly string[]): ArgumentDemand => ({
  isMet: (argument) => choices.includes(argument),
  words,
});

const headerNames: ArgumentDemand = {
  isMet: (argument) => argument.split('?').length <= 2,
  words: 'name one alternative header at most',
};

const maskLength: ArgumentDemand = {
  isMet: (argument) => argument === '' || (/^\d{1,3}$/.test(argument) && Number(argument) <= 128),
  words: 'be a number of bits',
};

/** Points in time of COMMON_DURATION that are known of a request or connection. */
export const durationPoints = [
  'DS_RX_BEG',
  'DS_RX_END',
  'US_TX_BEG',
  'US_TX_END',
  'US_RX_BEG',
  'US_RX_END',
  'DS_TX_BEG',
  'DS_TX_END',
  'DS_CX_BEG',
  'DS_CX_END',
] as const;
export type DurationPoint = (typeof durationPoints)[number];

const commonDuration: ArgumentDemand = {
  isMet: (argument) => {
    const [from, to, unit, ...more] = argument.split(':');
    const areKnown = [from, to].every((point) => durationPoints.includes(point as DurationPoint));
    return areKnown && ['ms', 'us', 'ns'].includes(unit ?? '') && more.length === 0;
  },
  words: `be START:END:ms, us or ns, of ${durationPoints.join(', ')}`,
};

const pathChoice: ArgumentDemand = {
  isMet: (argument) => /^(WQ|NQ)?(:(ORIG|PATH|ORIG_OR_PATH)?)?$/.test(argument),
  words: 'be WQ or NQ, and :ORIG, :PATH or :ORIG_OR_PATH behind it',
};

/** How a filter's state is written: what can be told of it, as one text, or one field alone. */
export type FilterStateForm = 'TYPED' | 'PLAIN' | 'FIELD';

const filterState: ArgumentDemand = {
  isMet: (argument) => /^[^:]+(:(TYPED|PLAIN|FIELD:.+))?$/.test(argument),
  words: 'be NAME, NAME:TYPED, NAME:PLAIN or NAME:FIELD:NAME',
};

const metadataTypes = [
  'DYNAMIC',
  'CLUSTER',
  'ROUTE',
  'UPSTREAM_HOST',
  'LISTENER',
  'LISTENER_FILTER_CHAIN',
  'VIRTUAL_HOST',
];

const argumentDemands: Readonly<Record<string, ArgumentDemand>> = {
  REQ: headerNames,
  REQUEST_HEADER: headerNames,
  REQ_WITHOUT_QUERY: headerNames,
  STREAM_INFO_REQ: headerNames,
  RESP: headerNames,
  RESPONSE_HEADER: headerNames,
  TRAILER: headerNames,
  RESPONSE_TRAILER: headerNames,
  COMMON_DURATION: commonDuration,
  PATH: pathChoice,
  QUERY_PARAMS: oneOf('be ORIG or DECODED', '', 'ORIG', 'DECODED'),
  RESPONSE_CODE_DETAILS: oneOf('be ALLOW_WHITESPACES', '', 'ALLOW_WHITESPACES'),
  GRPC_STATUS: oneOf('be CAMEL_STRING, SNAKE_STRING or NUMBER', '', 'CAMEL_STRING', 'SNAKE_STRING', 'NUMBER'),
  METADATA: {
    isMet: (argument) => metadataTypes.includes(argument.split(':')[0]!),
    words: `begin with one of ${metadataTypes.join(', ')}`,
  },
  FILTER_STATE: filterState,
  UPSTREAM_FILTER_STATE: filterState,
};

function rules(
  argument: ArgumentRule,
  length: boolean,
  names: readonly string[],
): readonly (readonly [string, FormatCommandRule])[] {
  return names.map((name) => [name, { arguments: argument, length }] as const);
}
