// Tracing of a connection manager: which requests are chosen, what is recorded of them, and their ids, which carry the choice
// from hop to hop (`HttpConnectionManager.Tracing`, `extensions.request_id.uuid.v3`). And what routes change of it.

import type { Problems } from '../../config/problems.ts';
import type { RouteDecorator, RouteTracing, Tracing } from '../../config/tracing.ts';
import type {
  Decorator,
  FractionalPercent,
  HttpConnectionManager as Message,
  RouteTracing as RouteMessage,
  UuidRequestIdConfig,
} from '../generated/messages.ts';
import { decodeCustomTags } from './custom-tag.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';
import { checkedFormat } from './log-format.ts';
import { decodeFraction } from './matcher.ts';
import { SharedParts } from './shared-parts.ts';
import { decodeTraceProvider } from './trace-provider.ts';

const uuid = 'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig';
const requestId = { what: 'request id extension', known: [uuid] } as const;

/** Envoy's default. */
const defaultMaxPathTagLength = 256;

/** The listeners of a mesh say the same of tracing. */
const sharedTracings = new SharedParts<Tracing>();

/** Undefined without `tracing`. `startsChildSpan` is the router's older option for `spawn_upstream_span`. */
export function decodeTracing(message: Message, startsChildSpan: boolean, problems: Problems): Tracing | undefined {
  const extension = message.requestIdExtension;
  if (extension !== undefined) extensionType(extension, requestId, problems.at('request_id_extension'));
  const { tracing } = message;
  const ids = (extension?.typedConfig?.message ?? {}) as UuidRequestIdConfig;
  if (tracing === undefined) return undefined;
  const place = problems.at('tracing');
  const provider = tracing.provider && decodeTraceProvider(tracing.provider, place.at('provider'));
  return sharedTracings.share({
    sampling: {
      clientPercent: shareOf(100, tracing.clientSampling),
      randomPerTenThousand: shareOf(10_000, tracing.randomSampling),
      overallPerTenThousand: shareOf(10_000, tracing.overallSampling),
      usesRequestId: ids.useRequestIdForTraceSampling ?? true,
      marksIds: ids.packTraceReason ?? true,
    },
    ...given('provider', provider),
    customTags: decodeCustomTags(tracing.customTags, place.at('custom_tags')),
    maxPathTagLength: tracing.maxPathTagLength ?? defaultMaxPathTagLength,
    verbose: tracing.verbose ?? false,
    spawnUpstreamSpan: (tracing.spawnUpstreamSpan ?? false) || startsChildSpan,
    ...decodeOperations(tracing, place),
    noContextPropagation: tracing.noContextPropagation ?? false,
  });
}

/** Rounded down, as in Envoy. Absent is all; set without a value is none. */
function shareOf(whole: number, percent: { readonly value?: number } | undefined): number {
  return percent === undefined ? whole : Math.floor(whole * ((percent.value ?? 0) / 100));
}

export function decodeRouteTracing(message: RouteMessage, problems: Problems): RouteTracing {
  return {
    clientPerTenThousand: perTenThousand(message.clientSampling),
    randomPerTenThousand: perTenThousand(message.randomSampling),
    overallPerTenThousand: perTenThousand(message.overallSampling),
    customTags: decodeCustomTags(message.customTags, problems.at('custom_tags')),
    ...decodeOperations(message, problems),
  };
}

/** Absent is all. Rounded down; more than all is all. */
function perTenThousand(message: FractionalPercent | undefined): number {
  if (message === undefined) return 10_000;
  const { numerator, denominator } = decodeFraction(message, undefined);
  return Math.min(10_000, Math.floor((numerator * 10_000) / denominator));
}

function decodeOperations(
  message: { readonly operation?: string; readonly upstreamOperation?: string },
  problems: Problems,
): Pick<Tracing, 'operation' | 'upstreamOperation'> {
  return {
    operation: checkedFormat(message.operation ?? '', problems.at('operation')),
    upstreamOperation: checkedFormat(message.upstreamOperation ?? '', problems.at('upstream_operation')),
  };
}

export function decodeDecorator({ operation = '', propagate = true }: Decorator): RouteDecorator {
  return { operation, propagate };
}
