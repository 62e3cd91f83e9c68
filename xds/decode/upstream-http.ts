// HTTP options of a cluster, which are an extension of it (`extensions.upstreams.http.v3.HttpProtocolOptions`). The fields
// of the cluster itself with the same meaning are older; Envoy still takes them.

import type { UpstreamHttpOptions } from '../../config/cluster.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  Cluster,
  CoreHttpProtocolOptions,
  Http1ProtocolOptions,
  HttpHttpProtocolOptions,
  UpstreamHttpProtocolOptions,
} from '../generated/messages.ts';
import { speaksHttp2 } from './grpc-cluster.ts';
import { decodeHeaderCase } from './http1-options.ts';

const typedOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

export function decodeUpstreamHttp(cluster: Cluster, problems: Problems): UpstreamHttpOptions {
  const place = problems.at('typed_extension_protocol_options');
  refuseOthers(cluster, place);
  const typed = cluster.typedExtensionProtocolOptions?.[typedOptions];
  if (typed?.typeName !== typedOptions) {
    checkHttp1(cluster.httpProtocolOptions, problems.at('http_protocol_options'));
    return makeOptions(
      cluster,
      { common: cluster.commonHttpProtocolOptions, http1: cluster.httpProtocolOptions },
      problems,
    );
  }
  refuseOlder(cluster, problems);
  const options = typed.message as HttpHttpProtocolOptions;
  const common = options.commonHttpProtocolOptions;
  const { explicitHttpConfig: explicit, useDownstreamProtocolConfig: downstream } = options;
  const http1 = explicit?.httpProtocolOptions ?? downstream?.httpProtocolOptions;
  const field = explicit === undefined ? 'use_downstream_protocol_config' : 'explicit_http_config';
  checkHttp1(http1, place.item(typedOptions).at(field).at('http_protocol_options'));
  return makeOptions(cluster, { common, http1 }, place.item(typedOptions));
}

function refuseOthers(cluster: Cluster, problems: Problems): void {
  for (const [name, any] of Object.entries(cluster.typedExtensionProtocolOptions ?? {})) {
    if (name === typedOptions && any.typeName === typedOptions) continue;
    problems.item(name).unsupported(`protocol options ${any.typeUrl}`, `only ${typedOptions} is, by that name`);
  }
}

function refuseOlder(cluster: Cluster, problems: Problems): void {
  const older = {
    common_http_protocol_options: cluster.commonHttpProtocolOptions,
    http_protocol_options: cluster.httpProtocolOptions,
    upstream_http_protocol_options: cluster.upstreamHttpProtocolOptions,
  };
  for (const [name, value] of Object.entries(older)) {
    if (value !== undefined) problems.at(name).add(`may not be set together with ${typedOptions}, which replaces it`);
  }
}

/** What the host of a request says of the name that an endpoint must have; in its newer or its older spelling. */
export function upstreamNameOptions(cluster: Cluster, problems: Problems): UpstreamHttpProtocolOptions | undefined {
  const typed = cluster.typedExtensionProtocolOptions?.[typedOptions];
  const isTyped = typed?.typeName === typedOptions;
  const options = isTyped
    ? (typed.message as HttpHttpProtocolOptions).upstreamHttpProtocolOptions
    : cluster.upstreamHttpProtocolOptions;
  if (options?.autoSanValidation === true && options.autoSni !== true) {
    const place = isTyped ? problems.at('typed_extension_protocol_options').item(typedOptions) : problems;
    const field = place.at('upstream_http_protocol_options').at('auto_san_validation');
    field.unsupported(
      'auto_san_validation without auto_sni',
      'write both: the name that is asked for is the one verified',
    );
  }
  return options;
}

/** Of a static cluster, of which it is known that no call of our own goes there. */
export function refuseHttp2(cluster: Cluster, problems: Problems): void {
  const typed = cluster.typedExtensionProtocolOptions?.[typedOptions]?.message as HttpHttpProtocolOptions | undefined;
  const place =
    typed === undefined
      ? problems
      : problems.at('typed_extension_protocol_options').item(typedOptions).at('explicit_http_config');
  if (speaksHttp2(cluster)) {
    place.at('http2_protocol_options').unsupported('http2_protocol_options', 'HTTP/2 to endpoints is not offered yet');
  }
}

interface OptionParts {
  readonly common: CoreHttpProtocolOptions | undefined;
  readonly http1: Http1ProtocolOptions | undefined;
}

/** Envoy's defaults. */
function makeOptions(cluster: Cluster, parts: OptionParts, problems: Problems): UpstreamHttpOptions {
  const { common, http1 } = parts;
  if (common?.maxStreamDuration !== undefined) {
    const place = problems.at('common_http_protocol_options').at('max_stream_duration');
    place.unsupported('max_stream_duration of a cluster', 'set it on the route');
  }
  return {
    protocol: speaksHttp2(cluster) ? 'http2' : 'http1',
    idleTimeoutMs: common?.idleTimeout ?? 3_600_000,
    maxConnectionDurationMs: common?.maxConnectionDuration ?? 0,
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? cluster.maxRequestsPerConnection ?? 0,
    maxResponseHeadersKb: common?.maxResponseHeadersKb ?? 60,
    maxResponseHeadersCount: common?.maxHeadersCount ?? 100,
    enableTrailers: http1?.enableTrailers ?? false,
  };
}

/** What only a downstream connection has is without effect here, in Envoy too; the spelling of names is not. */
function checkHttp1(http1: Http1ProtocolOptions | undefined, problems: Problems): void {
  const place = problems.at('header_key_format');
  if (decodeHeaderCase(http1, place) === 'proper-case') {
    place.at('proper_case_words').unsupported('proper_case_words of a cluster', 'names keep their case');
  }
}
