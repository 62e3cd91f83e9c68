// How requests are chosen for tracing, and their ids, which carry the choice from hop to hop
// (`HttpConnectionManager.Tracing`, `extensions.request_id.uuid.v3`).

import type { Problems } from '../../config/problems.ts';
import type { Tracing } from '../../config/tracing.ts';
import type { HttpConnectionManager as Message, UuidRequestIdConfig } from '../generated/messages.ts';
import { extensionType } from './extension.ts';

const uuid = 'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig';
const requestId = { what: 'request id extension', known: [uuid] } as const;

/** Undefined without `tracing`. */
export function decodeTracing(message: Message, problems: Problems): Tracing | undefined {
  const extension = message.requestIdExtension;
  if (extension !== undefined) extensionType(extension, requestId, problems.at('request_id_extension'));
  const { tracing } = message;
  const ids = (extension?.typedConfig?.message ?? {}) as UuidRequestIdConfig;
  if (tracing === undefined) return undefined;
  return {
    sampling: {
      clientPercent: shareOf(100, tracing.clientSampling),
      randomPerTenThousand: shareOf(10_000, tracing.randomSampling),
      overallPerTenThousand: shareOf(10_000, tracing.overallSampling),
      usesRequestId: ids.useRequestIdForTraceSampling ?? true,
      marksIds: ids.packTraceReason ?? true,
    },
    customTags: [],
    maxPathTagLength: 256,
    verbose: false,
    spawnUpstreamSpan: false,
    operation: '',
    upstreamOperation: '',
    noContextPropagation: false,
  };
}

/** Rounded down, as in Envoy. Absent is all; set without a value is none. */
function shareOf(whole: number, percent: { readonly value?: number } | undefined): number {
  return percent === undefined ? whole : Math.floor(whole * ((percent.value ?? 0) / 100));
}
