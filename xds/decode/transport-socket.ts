// Transport sockets: plain ones only, until TLS arrives. Any other is refused, never replaced by a plain one.

import type { Problems } from '../../config/problems.ts';
import type { Cluster_TransportSocketMatch, TransportSocket } from '../generated/messages.ts';
import { extensionType } from './extension.ts';

const rawBuffer = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const transportSocket = { what: 'transport socket', known: [rawBuffer] } as const;

export function decodeTransportSocket(message: TransportSocket | undefined, problems: Problems): void {
  if (message !== undefined) extensionType(message, transportSocket, problems);
}

/** Sockets by the metadata of endpoints: while all are plain, which of them an endpoint gets makes no difference. */
export function decodeTransportSocketMatches(
  messages: readonly Cluster_TransportSocketMatch[] | undefined,
  problems: Problems,
): void {
  for (const [index, { transportSocket }] of (messages ?? []).entries()) {
    decodeTransportSocket(transportSocket, problems.item(index).at('transport_socket'));
  }
}
