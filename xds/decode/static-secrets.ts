// Secrets of the bootstrap (`static_resources.secrets`), which TLS names without an `sds_config`.

import type { Problems } from '../../config/problems.ts';
import type { WrittenSecret } from '../../config/written-secret.ts';
import type { Secret as Message } from '../generated/messages.ts';
import { decodeSecret } from './secret.ts';
import { UniqueNames } from './unique-names.ts';

/** By name. Their files are read again only where a `watched_directory` says so. */
export function decodeStaticSecrets(
  messages: readonly Message[] | undefined,
  problems: Problems,
): ReadonlyMap<string, WrittenSecret> {
  const secrets = new Map<string, WrittenSecret>();
  const names = new UniqueNames('secret');
  for (const [index, message] of (messages ?? []).entries()) {
    const place = problems.item(index);
    names.add(message.name, place);
    if (message.name === undefined) place.at('name').add('name is required: TLS names it by that');
    const loaded = decodeSecret(message, { watchesFiles: false }, place);
    if (loaded !== undefined) secrets.set(loaded.written.name, loaded.written);
  }
  return secrets;
}
