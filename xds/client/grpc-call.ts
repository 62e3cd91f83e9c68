// What goes along with gRPC calls to services of the configuration.

import { type ChannelOptions, Metadata } from '@grpc/grpc-js';
import type { GrpcService } from '../../config/config-source.ts';
import { grpcClientOptions } from '../../config/grpc-client.ts';
import { authorization } from './grpc-credentials.ts';
import type { GrpcPeer } from './grpc-peer.ts';

/** With the authority of a peer that has one. */
export function clientOptionsFor({ authority }: GrpcPeer): ChannelOptions {
  return authority === undefined ? grpcClientOptions : { ...grpcClientOptions, 'grpc.default_authority': authority };
}

/** What goes along with each call. Throws an Error with a sentence when the token cannot be read. */
export function callMetadata({ initialMetadata }: GrpcService, { accessToken }: GrpcPeer): Metadata {
  const metadata = new Metadata();
  for (const { key, value } of initialMetadata) metadata.add(key, value);
  if (accessToken !== undefined) metadata.set('authorization', authorization(accessToken));
  return metadata;
}
