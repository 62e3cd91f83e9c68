// Secrets as they are named by others (`extensions.transport_sockets.tls.v3.Secret`).

import type { Problems } from '../../config/problems.ts';
import type { Secret } from '../../config/secret.ts';
import type { WrittenSecret } from '../../config/written-secret.ts';
import type { Secret as Message } from '../generated/messages.ts';
import { loadSecret } from './secret-loading.ts';
import {
  decodeWrittenCertificate,
  decodeWrittenGeneric,
  decodeWrittenTicketKeys,
  decodeWrittenValidation,
} from './written-secret.ts';

/** A secret, and where it is read again. */
export interface LoadedSecret {
  readonly written: WrittenSecret;
  readonly secret: Secret;
}

/** Undefined only with problems. `watchesFiles` as of `WrittenPlace`. */
export function decodeSecret(
  message: Message,
  { watchesFiles }: { readonly watchesFiles: boolean },
  problems: Problems,
): LoadedSecret | undefined {
  const { name = '', tlsCertificate, validationContext, sessionTicketKeys, genericSecret } = message;
  const place = { name, watchesFiles };
  const load = (written: WrittenSecret | undefined, at: Problems): LoadedSecret | undefined => {
    const secret = written && loadSecret(written, at);
    return written && secret && { written, secret };
  };
  if (tlsCertificate !== undefined) {
    const at = problems.at('tls_certificate');
    return load(decodeWrittenCertificate(tlsCertificate, place, at), at);
  }
  if (validationContext !== undefined) {
    const at = problems.at('validation_context');
    return load(decodeWrittenValidation(validationContext, place, at), at);
  }
  if (sessionTicketKeys !== undefined) {
    return load(decodeWrittenTicketKeys(sessionTicketKeys, place), problems.at('session_ticket_keys'));
  }
  if (genericSecret !== undefined) {
    const at = problems.at('generic_secret');
    return load(decodeWrittenGeneric(genericSecret, place, at), at);
  }
  problems.add('one of tls_certificate, session_ticket_keys, validation_context, generic_secret is required');
  return undefined;
}
