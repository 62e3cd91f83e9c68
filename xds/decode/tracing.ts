// How requests are chosen for tracing, and their ids, which carry the choice from hop to hop
// (`HttpConnectionManager.Tracing`, `extensions.request_id.uuid.v3`).

import type { TraceSampling } from '../../config/http-connection-manager.ts';
import type { Problems } from '../../config/problems.ts';
import type { HttpConnectionManager as Message, UuidRequestIdConfig } from '../generated/messages.ts';
import { extensionType } from './extension.ts';

const uuid = 'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig';
const requestId = { what: 'request id extension', known: [uuid] } as const;

/** Undefined where ids are left as they are: without `tracing`, or when the choice does not depend on them. */
export function decodeTracing(message: Message, problems: Problems): TraceSampling | undefined {
  const extension = message.requestIdExtension;
  if (extension !== undefined) extensionType(extension, requestId, problems.at('request_id_extension'));
  const { tracing } = message;
  const ids = (extension?.typedConfig?.message ?? {}) as UuidRequestIdConfig;
  if (tracing === undefined || ids.useRequestIdForTraceSampling === false) return undefined;
  return {
    clientPercent: shareOf(100, tracing.clientSampling),
    randomPerTenThousand: shareOf(10_000, tracing.randomSampling),
    overallPerTenThousand: shareOf(10_000, tracing.overallSampling),
    marksIds: ids.packTraceReason ?? true,
  };
}

/** Rounded down, as in Envoy. Absent is all; set without a value is none. */
function shareOf(whole: number, percent: { readonly value?: number } | undefined): number {
  return percent === undefined ? whole : Math.floor(whole * ((percent.value ?? 0) / 100));
}
