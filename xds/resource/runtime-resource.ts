// Layers of the runtime (RTDS).

import { decodeRuntimeValues, type RuntimeValues } from '../decode/runtime.ts';
import type { Runtime as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

export const runtimeDecoder: ResourceDecoder<RuntimeValues> = makeResourceDecoder({
  messageName: 'envoy.service.runtime.v3.Runtime',
  shortName: 'rtds',
  decode: (message: Message, problems) => decodeRuntimeValues(message.layer ?? {}, problems.at('layer')),
});
