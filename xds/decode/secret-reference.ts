// How TLS names its secrets: by SDS, one of the bootstrap's, or what is written in place.
//
// The key of a reference says which secret it is over all listeners and clusters: two that lead to the same one share it, and
// what is written in place is known by its content.

import { createHash } from 'node:crypto';
import type { ConfigSource } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import type { SecretReference } from '../../config/tls.ts';
import type { WrittenSecret } from '../../config/written-secret.ts';
import type { SdsSecretConfig } from '../generated/messages.ts';
import { decodeConfigSource } from './config-source.ts';
import { loadSecret } from './secret-loading.ts';
import { SharedParts } from './shared-parts.ts';

const shared = new SharedParts<SecretReference>();

/** Without `sds_config` a secret of the bootstrap is meant, as in Envoy. Undefined only with problems. */
export function decodeSecretReference(message: SdsSecretConfig, problems: Problems): SecretReference | undefined {
  const { name = '', sdsConfig } = message;
  if (sdsConfig === undefined) return shared.share({ key: staticSecretKey(name), name, source: { kind: 'static' } });
  const config = decodeConfigSource(sdsConfig, problems.at('sds_config'));
  return config && shared.share({ key: `${sourceKey(config)} ${name}`, name, source: { kind: 'sds', config } });
}

/** Of a secret in `static_resources.secrets`. */
export function staticSecretKey(name: string): string {
  return `static ${name}`;
}

/** What cannot be read is a problem now: who wrote it is there to hear of it. */
export function inlineReference(secret: WrittenSecret, problems: Problems): SecretReference {
  loadSecret(secret, problems);
  return { key: `inline ${digestOf(secret)}`, name: secret.name, source: { kind: 'inline', secret } };
}

/** Sources that lead to the same stream or file have the same one. It holds nothing that is secret. */
function sourceKey(config: ConfigSource): string {
  switch (config.kind) {
    case 'ads':
      return 'ads';
    case 'path':
      return `file ${config.path}`;
    case 'grpc': {
      const { target } = config.api.service;
      return `${target.kind === 'cluster' ? target.cluster : target.uri} ${digestOf(config.api)}`;
    }
  }
}

function digestOf(data: unknown): string {
  return createHash('sha256').update(JSON.stringify(data, bytesAsText)).digest('hex').slice(0, 32);
}

function bytesAsText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
