// Configurations of filters that arrive apart from them (ECDS).

import type { TypedExtensionConfig } from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

/** Which types are right, and what it says, is known with the listener that uses it. */
export interface ExtensionConfig {
  readonly name: string;
  readonly config: Any;
}

export const extensionConfigDecoder: ResourceDecoder<ExtensionConfig> = makeResourceDecoder({
  messageName: 'envoy.config.core.v3.TypedExtensionConfig',
  shortName: 'ecds',
  decode: ({ name = '', typedConfig }: TypedExtensionConfig) => typedConfig && { name, config: typedConfig },
});
