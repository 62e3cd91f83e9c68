// Listeners (LDS).

import type { Listener } from '../../config/listener.ts';
import { decodeListener } from '../decode/listener.ts';
import type { RuntimeValues } from '../decode/runtime.ts';
import type { Listener as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

/** Some options are runtime values: those of the moment when the listener arrives. */
export function listenerDecoder(runtime: () => RuntimeValues): ResourceDecoder<Listener> {
  return makeResourceDecoder({
    messageName: 'envoy.config.listener.v3.Listener',
    shortName: 'lds',
    decode: (message: Message, problems) => decodeListener(message, runtime(), problems),
  });
}
