// Network filters of connections to endpoints (`config.cluster.v3.Filter`): only those without effect.

import type { Problems } from '../../config/problems.ts';
import type { ClusterFilter } from '../generated/messages.ts';
import { isInertFilter } from './extension.ts';

export function checkClusterFilters(messages: readonly ClusterFilter[] | undefined, problems: Problems): void {
  for (const [index, message] of (messages ?? []).entries()) {
    if (isInertFilter(message, 'cluster filter')) continue;
    const type = message.typedConfig?.typeUrl ?? message.name ?? '';
    problems.item(index).at('typed_config').unsupported(`cluster filter ${type}`);
  }
}
