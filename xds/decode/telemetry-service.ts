// Where telemetry is sent (`config.core.v3.GrpcService`, `HttpService`), and the resource it comes from.

import { parseFormat } from '../../config/format-commands.ts';
import type { Problems } from '../../config/problems.ts';
import type { TelemetryResource, TelemetryService } from '../../config/telemetry-service.ts';
import type {
  GrpcService,
  HeaderValueOption,
  HttpService,
  StaticConfigResourceDetectorConfig,
  TypedExtensionConfig,
} from '../generated/messages.ts';
import { extensionType } from './extension.ts';
import { decodeGrpcService } from './grpc-service.ts';
import { decodeHeaderAdditions } from './header-mutation.ts';

/** A message that may have both kinds of service, and should have one. */
export interface TelemetryServices {
  readonly grpcService?: GrpcService;
  readonly httpService?: HttpService;
}

/** Exactly one, as Envoy has it. */
export function decodeTelemetryService(message: TelemetryServices, problems: Problems): TelemetryService | undefined {
  const { grpcService, httpService } = message;
  if ((grpcService === undefined) === (httpService === undefined)) {
    problems.add('exactly one of grpc_service and http_service is required: telemetry goes there');
    return undefined;
  }
  return grpcService === undefined
    ? decodeHttpTelemetry(httpService!, problems.at('http_service'))
    : decodeGrpcTelemetry(grpcService, problems.at('grpc_service'));
}

export function decodeGrpcTelemetry(message: GrpcService, problems: Problems): TelemetryService | undefined {
  const service = decodeGrpcService(message, problems);
  if (service === undefined) return undefined;
  const { target, initialMetadata } = service;
  if (target.kind === 'uri') {
    problems.at('google_grpc').unsupported('google_grpc for telemetry', 'write envoy_grpc with a cluster');
    return undefined;
  }
  return {
    kind: 'grpc',
    cluster: target.cluster,
    authority: target.authority ?? '',
    timeoutMs: message.timeout ?? 0,
    metadata: initialMetadata.map(({ key, value }) => [key, value] as const),
  };
}

export function decodeHttpTelemetry(message: HttpService, problems: Problems): TelemetryService | undefined {
  const headers = decodeHeaders(message.requestHeadersToAdd, problems.at('request_headers_to_add'));
  if (message.httpUri === undefined) problems.at('http_uri').add('http_uri is required: telemetry goes there');
  const { uri, cluster, timeout: timeoutMs = 0 } = message.httpUri ?? {};
  if (uri === undefined || cluster === undefined) return undefined;
  return { kind: 'http', cluster, uri: wholeUri(uri, cluster), timeoutMs, headers };
}

/** Envoy takes a URI without scheme, as Istio writes it, and a path alone: the authority is the cluster's name then. */
export function wholeUri(uri: string, cluster: string): string {
  const [, scheme = 'http', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(.*)$/s.exec(uri)!;
  const slash = rest.indexOf('/');
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  const path = slash === -1 ? '/' : rest.slice(slash);
  return `${scheme}://${authority || cluster}${path}`;
}

/** Values are made once: there is no request that a command could speak of, but for the environment. */
function decodeHeaders(
  messages: readonly HeaderValueOption[] | undefined,
  problems: Problems,
): readonly (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [];
  for (const [index, { name, value, action }] of decodeHeaderAdditions(messages, problems).entries()) {
    const place = problems.item(index).at('header');
    const key = name.toLowerCase();
    if (ownHeaders.has(key)) place.at('key').unsupported(`setting ${name}`, 'it follows from what is sent');
    const isThere = headers.some(([known]) => known === key);
    if (isThere ? action === 'add-if-absent' : action === 'overwrite-if-exists') continue;
    if (action.startsWith('overwrite')) removeAll(headers, key);
    headers.push([key, staticValue(value, place.at('value'))]);
  }
  return headers;
}

const ownHeaders: ReadonlySet<string> = new Set(['content-type', 'content-encoding']);

function removeAll(headers: (readonly [string, string])[], key: string): void {
  for (let index = headers.length - 1; index >= 0; index--) if (headers[index]![0] === key) headers.splice(index, 1);
}

/** `%ENVIRONMENT(NAME)%` is read here. What is wrong with the format was recorded. */
function staticValue(value: string, problems: Problems): string {
  let text = '';
  for (const piece of parseFormat(value).pieces) {
    if (typeof piece === 'string') text += piece;
    else if (piece.name === 'ENVIRONMENT')
      text += process.env[piece.argument ?? '']?.slice(0, piece.maxLength ?? undefined) ?? '';
    else problems.unsupported(`%${piece.name}%`, 'only %ENVIRONMENT(NAME)% is; write %% for a percent sign');
  }
  return text;
}

const detectors = 'envoy.extensions.tracers.opentelemetry.resource_detectors.v3';
const fromEnvironment = `${detectors}.EnvironmentResourceDetectorConfig`;
const fromConfiguration = `${detectors}.StaticConfigResourceDetectorConfig`;
const resourceDetector = { what: 'resource detector', known: [fromEnvironment, fromConfiguration] } as const;

/** Of several that name an attribute the last wins. */
export function decodeResourceDetectors(
  messages: readonly TypedExtensionConfig[] | undefined,
  problems: Problems,
): TelemetryResource {
  let readsEnvironment = false;
  const attributes = new Map<string, string>();
  for (const [index, message] of (messages ?? []).entries()) {
    const type = extensionType(message, resourceDetector, problems.item(index));
    if (type === fromEnvironment) {
      if (attributes.size > 0) {
        problems.item(index).unsupported('the environment behind written attributes', 'write it in front of them');
      }
      readsEnvironment = true;
    } else if (type === fromConfiguration) {
      const { attributes: written = {} } = message.typedConfig!.message as StaticConfigResourceDetectorConfig;
      for (const [key, value] of Object.entries(written)) attributes.set(key, value);
    }
  }
  return { fromEnvironment: readsEnvironment, attributes: [...attributes] };
}
