// Transport sockets: how the bytes of a connection are protected (`config.core.v3.TransportSocket`). One that is not known is
// refused, never replaced by a plain one.

import type { TransportMatch, TransportSocket } from '../../config/cluster.ts';
import type { Problems } from '../../config/problems.ts';
import type { DownstreamTls } from '../../config/tls.ts';
import type {
  Cluster_TransportSocketMatch,
  DownstreamTlsContext,
  TransportSocket as Message,
  UpstreamHttpProtocolOptions,
  UpstreamTlsContext,
} from '../generated/messages.ts';
import { decodeDownstreamTls } from './downstream-tls.ts';
import { extensionType } from './extension.ts';
import { decodeUpstreamTls } from './upstream-tls.ts';

const rawBuffer = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const downstreamTls = 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
const upstreamTls = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
const instead = 'the transport sockets that there are: raw_buffer and tls';
const ofClients = { what: 'transport socket', known: [rawBuffer, downstreamTls], instead } as const;
const toEndpoints = { what: 'transport socket', known: [rawBuffer, upstreamTls], instead } as const;

/** Undefined: plain, or what is wrong (recorded). */
export function decodeDownstreamSocket(message: Message | undefined, problems: Problems): DownstreamTls | undefined {
  if (message === undefined || extensionType(message, ofClients, problems) !== downstreamTls) return undefined;
  return decodeDownstreamTls(message.typedConfig?.message as DownstreamTlsContext, problems.at('typed_config'));
}

const plain: TransportSocket = { kind: 'plain' };

/** `options` are those of the cluster's requests. */
export function decodeUpstreamSocket(
  message: Message | undefined,
  options: UpstreamHttpProtocolOptions | undefined,
  problems: Problems,
): TransportSocket {
  if (message === undefined || extensionType(message, toEndpoints, problems) !== upstreamTls) return plain;
  const context = message.typedConfig?.message as UpstreamTlsContext;
  return { kind: 'tls', tls: decodeUpstreamTls(context, options, problems.at('typed_config')) };
}

/** Sockets by the metadata of endpoints, in order. */
export function decodeTransportMatches(
  messages: readonly Cluster_TransportSocketMatch[] | undefined,
  options: UpstreamHttpProtocolOptions | undefined,
  problems: Problems,
): readonly TransportMatch[] {
  return (messages ?? []).map(({ name = '', match = {}, transportSocket }, index) => {
    const place = problems.item(index);
    return {
      name,
      match: decodeMatch(match, place.at('match')),
      transport: decodeUpstreamSocket(transportSocket, options, place.at('transport_socket')),
    };
  });
}

function decodeMatch(match: object, problems: Problems): TransportMatch['match'] {
  const found: { [key: string]: string } = {};
  for (const [key, value] of Object.entries(match)) {
    if (typeof value === 'string') found[key] = value;
    else problems.item(key).unsupported('a value that is no text', 'endpoints are labelled with text');
  }
  return found;
}
