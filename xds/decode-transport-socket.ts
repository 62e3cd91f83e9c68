// Transport sockets: plain ones only, until TLS arrives. Any other is refused, never replaced by a plain one.

import type { Problems } from '../config/problems.ts';
import { extensionType } from './extension.ts';
import type { TransportSocket } from './generated/messages.ts';

const rawBuffer = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const transportSocket = { what: 'transport socket', known: [rawBuffer] } as const;

export function decodeTransportSocket(message: TransportSocket | undefined, problems: Problems): void {
  if (message !== undefined) extensionType(message, transportSocket, problems);
}
