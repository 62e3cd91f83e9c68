// What all gRPC calls of our own have in common, whoever they go to.

import { type ChannelOptions, Metadata } from '@grpc/grpc-js';
import type { GrpcService } from '../../config/config-source.ts';
import { authorization } from './grpc-credentials.ts';
import type { GrpcPeer } from './grpc-peer.ts';

/** Every client has a connection of its own, and nothing but its peer decides where that leads. */
export const clientOptions: ChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  // A proxy in the environment is for the workload beside us.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
};

/** `clientOptions`, with the authority of a peer that has one. */
export function clientOptionsFor({ authority }: GrpcPeer): ChannelOptions {
  return authority === undefined ? clientOptions : { ...clientOptions, 'grpc.default_authority': authority };
}

/** What goes along with each call. Throws an Error with a sentence when the token cannot be read. */
export function callMetadata({ initialMetadata }: GrpcService, { accessToken }: GrpcPeer): Metadata {
  const metadata = new Metadata();
  for (const { key, value } of initialMetadata) metadata.add(key, value);
  if (accessToken !== undefined) metadata.set('authorization', authorization(accessToken));
  return metadata;
}

/** Messages are bytes: what is in them is known to who makes the call. */
export function asBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.length);
}

export function asBytes(message: Buffer): Uint8Array {
  return message;
}
