// Streams of `makeGrpcTransport` to a server of bytes, for its tests.

import type { ServerCredentials } from '@grpc/grpc-js';
import type { Test } from 'tap';
import type { Address } from '../../config/address.ts';
import type { GrpcCluster, GrpcCredentials, GrpcService } from '../../config/config-source.ts';
import { makeGrpcTransport } from '../../xds/client/grpc-transport.ts';
import type { DiscoveryTransport, StreamEnd } from '../../xds/client/transport.ts';
import { type ByteServer, byteMethod, startByteServer } from './byte-server.ts';

export const loopback = (port: number): Address => ({ kind: 'ip', ip: '127.0.0.1', port });

/** To the endpoints of a cluster. */
export function clusterTransport(
  cluster: Pick<GrpcCluster, 'endpoints'> & Partial<GrpcCluster>,
  service: Partial<GrpcService> = {},
): DiscoveryTransport {
  const whole = { name: 'control', connectTimeoutMs: 5000, ...cluster };
  return makeGrpcTransport({
    service: { target: { kind: 'cluster', cluster: 'control' }, initialMetadata: [], ...service },
    clusters: new Map([['control', whole]]),
    method: byteMethod,
  });
}

/** To what gRPC calls a target. */
export function uriTransport(uri: string, credentials: GrpcCredentials = {}): DiscoveryTransport {
  const service: GrpcService = { target: { kind: 'uri', uri, credentials }, initialMetadata: [] };
  return makeGrpcTransport({ service, clusters: new Map(), method: byteMethod });
}

export interface OpenStream {
  readonly handle: ReturnType<DiscoveryTransport['open']>;
  readonly messages: readonly Uint8Array[];
  readonly ended: Promise<StreamEnd>;
  /** The next message, as text. */
  ask(text: string): Promise<string>;
}

export function openStream(transport: DiscoveryTransport): OpenStream {
  const messages: Uint8Array[] = [];
  const ended = Promise.withResolvers<StreamEnd>();
  let next = Promise.withResolvers<Uint8Array>();
  const handle = transport.open({
    onMessage: (message) => {
      messages.push(message);
      next.resolve(message);
      next = Promise.withResolvers();
    },
    onEnd: ended.resolve,
  });
  return {
    handle,
    messages,
    ended: ended.promise,
    ask: async (text) => {
      const answer = next.promise;
      handle.send(() => Buffer.from(text));
      return Buffer.from(await answer).toString();
    },
  };
}

/** Answers with the message, the authority, and the headers that tests look at. */
export async function startEcho(
  t: Test,
  options: { readonly address?: string; readonly credentials?: ServerCredentials } = {},
): Promise<ByteServer> {
  const server = await startByteServer({
    ...options,
    onMessage: (stream, message) => {
      const headers = ['authorization', 'clusterid'].flatMap((name) => stream.metadata.get(name));
      stream.send(Buffer.from([Buffer.from(message), stream.authority, ...headers].join(' ')));
    },
  });
  t.teardown(() => server.close());
  return server;
}
