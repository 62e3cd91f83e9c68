// Where a resource comes from (`config.core.v3.ConfigSource`, `config.core.v3.ApiConfigSource`).

import type { ConfigSource, GrpcApi } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  ApiConfigSource,
  ApiConfigSource_ApiType,
  ApiVersion,
  ConfigSource as ConfigSourceMessage,
  PathConfigSource,
} from '../generated/messages.ts';
import { given } from './given.ts';
import { decodeGrpcService } from './grpc-service.ts';

/** Envoy's default. */
const defaultInitialFetchTimeoutMs = 15_000;

/** Whether the cluster of an `envoy_grpc` service exists is for the caller to see: it knows the clusters. */
export function decodeConfigSource(message: ConfigSourceMessage, problems: Problems): ConfigSource | undefined {
  refuseOldVersion(message.resourceApiVersion, problems.at('resource_api_version'));
  const initialFetchTimeoutMs = message.initialFetchTimeout ?? defaultInitialFetchTimeoutMs;
  if (message.ads !== undefined) return { initialFetchTimeoutMs, kind: 'ads' };
  const path = pathOf(message);
  if (path !== undefined) return { initialFetchTimeoutMs, kind: 'path', ...path };
  if (message.apiConfigSource === undefined) return undefined;
  const api = decodeGrpcApi(message.apiConfigSource, problems.at('api_config_source'));
  return api && { initialFetchTimeoutMs, kind: 'grpc', api };
}

/** A source that is one gRPC stream. */
export function decodeGrpcApi(message: ApiConfigSource, problems: Problems): GrpcApi | undefined {
  const protocol = decodeProtocol(message.apiType, problems.at('api_type'));
  refuseOldVersion(message.transportApiVersion, problems.at('transport_api_version'));
  const [service, second] = message.grpcServices ?? [];
  const place = problems.at('grpc_services');
  if (second !== undefined) place.add('must be one service: Envoy takes no second one either');
  if (service === undefined) place.add('grpc_services is required: it says where the control plane is');
  const decoded = service && decodeGrpcService(service, place.item(0));
  if (decoded === undefined || protocol === undefined) return undefined;
  return { protocol, service: decoded, setNodeOnFirstMessageOnly: message.setNodeOnFirstMessageOnly ?? false };
}

/** Other protocols are refused as Envoy refuses them. */
function decodeProtocol(
  type: ApiConfigSource_ApiType | undefined,
  problems: Problems,
): GrpcApi['protocol'] | undefined {
  switch (type) {
    case 'DELTA_GRPC':
      return 'delta';
    case 'GRPC':
      return 'state-of-the-world';
    case undefined:
      problems.add('api_type is required: DELTA_GRPC or GRPC');
      return undefined;
    case 'AGGREGATED_GRPC':
    case 'AGGREGATED_DELTA_GRPC':
      problems.unsupported(type, 'write ads_config with GRPC or DELTA_GRPC, and ads: {} where it is used');
      return undefined;
    default:
      problems.unsupported(type, 'write DELTA_GRPC or GRPC');
      return undefined;
  }
}

/** Version 3 is the only one there is: unset means it. */
function refuseOldVersion(version: ApiVersion | undefined, problems: Problems): void {
  if (version === 'V2') problems.unsupported('V2', 'write V3');
}

function pathOf(message: ConfigSourceMessage): { path: string; watchedDirectory?: string } | undefined {
  const source: PathConfigSource | undefined =
    message.path === undefined ? message.pathConfigSource : { path: message.path };
  if (source?.path === undefined) return undefined;
  return { path: source.path, ...given('watchedDirectory', source.watchedDirectory?.path) };
}
