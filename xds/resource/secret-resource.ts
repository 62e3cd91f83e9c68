// Certificates, what peers are judged by, and other secrets (SDS).

import { decodeSecret, type LoadedSecret } from '../decode/secret.ts';
import type { Secret as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

/** Files are read when the secret arrives: what cannot be read is refused. */
export const secretDecoder: ResourceDecoder<LoadedSecret> = makeResourceDecoder({
  messageName: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  shortName: 'sds',
  decode: (message: Message, problems) => decodeSecret(message, { watchesFiles: true }, problems),
});
