// Listeners (LDS).

import type { Problems } from '../../config/problems.ts';
import { holdKeys, secretsOfListener } from '../../config/secret-references.ts';
import type { TraceProvider } from '../../config/tracing.ts';
import { withTraceProvider } from '../decode/default-trace-provider.ts';
import { decodeListener } from '../decode/listener.ts';
import { checkEngine } from '../decode/listener-engine.ts';
import type { RuntimeValues } from '../decode/runtime.ts';
import { decodeWrittenListener, type WrittenListener } from '../decode/written-listener.ts';
import type { Listener as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

/** What listeners take from the bootstrap. */
export interface ListenerSurroundings {
  readonly traceProvider?: TraceProvider | undefined;
  readonly offersUws?: boolean;
}

/** Some options are runtime values: those of the moment when the listener arrives. */
export function listenerDecoder(
  runtime: () => RuntimeValues,
  { traceProvider, offersUws = false }: ListenerSurroundings = {},
): ResourceDecoder<WrittenListener> {
  const decodeWhole = (message: Message, problems: Problems) => {
    const listener = decodeListener(message, runtime(), problems);
    checkEngine(listener, offersUws, problems);
    return listener && withTraceProvider(listener, traceProvider);
  };
  return makeResourceDecoder({
    messageName: 'envoy.config.listener.v3.Listener',
    shortName: 'lds',
    decode: (message: Message, problems) => decodeWrittenListener(message, decodeWhole, problems),
    holdsKeys: ({ listener }) => holdKeys(secretsOfListener(listener)),
  });
}
