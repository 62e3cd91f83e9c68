// Network filters of connections to endpoints (`config.cluster.v3.Filter`): Istio's exchange of metadata, and those without
// effect.

import type { TcpMetadataExchange } from '../../config/istio-filter.ts';
import type { Problems } from '../../config/problems.ts';
import type { ClusterFilter } from '../generated/messages.ts';
import { isInertFilter } from './extension.ts';
import { decodeTcpExchange, isTcpExchange } from './istio-filter.ts';

export function decodeClusterFilters(
  messages: readonly ClusterFilter[] | undefined,
  problems: Problems,
): TcpMetadataExchange | undefined {
  for (const [index, message] of (messages ?? []).entries()) {
    if (isInertFilter(message, 'cluster filter') || isTcpExchange(message)) continue;
    const type = message.typedConfig?.typeUrl ?? message.name ?? '';
    problems.item(index).at('typed_config').unsupported(`cluster filter ${type}`);
  }
  return decodeTcpExchange(messages, problems);
}
