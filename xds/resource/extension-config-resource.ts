// Configurations of filters that arrive apart from them (ECDS).

import type { Problems } from '../../config/problems.ts';
import type { TypedExtensionConfig } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

/** The filter that uses it decodes the message. */
export interface ExtensionConfig {
  readonly name: string;
  readonly typeName: string;
  readonly message: unknown;
}

export const extensionConfigDecoder: ResourceDecoder<ExtensionConfig> = makeResourceDecoder({
  messageName: 'envoy.config.core.v3.TypedExtensionConfig',
  shortName: 'ecds',
  decode({ name = '', typedConfig }: TypedExtensionConfig, problems: Problems) {
    if (typedConfig === undefined) return undefined;
    const { typeName, message } = typedConfig;
    if (message === undefined) problems.at('typed_config').unsupported(typeName);
    return { name, typeName, message };
  },
});
