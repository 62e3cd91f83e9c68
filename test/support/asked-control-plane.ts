// A control plane over a delta stream that sends what it is asked for by name and nothing else, but for what it `offers` to
// all; what is subscribed to and let go is written down.

import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import type { Test } from 'tap';
import { aggregatedMethod } from '../../xds/client/discovery-method.ts';
import { readRequest, type SentResource, writeResponse } from './discovery-messages.ts';

type Stream = ServerDuplexStream<Uint8Array, Uint8Array>;

const typeUrls: Readonly<Record<string, string>> = {
  Cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  ClusterLoadAssignment: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  Listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  RouteConfiguration: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  Runtime: 'type.googleapis.com/envoy.service.runtime.v3.Runtime',
  Secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  TypedExtensionConfig: 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
  VirtualHost: 'type.googleapis.com/envoy.config.route.v3.VirtualHost',
};

export class AskedControlPlane {
  /** `+Cluster a`, `-VirtualHost r/a`: names, in the order of the requests. */
  readonly asked: string[] = [];
  /** `ack Cluster`, `nack Cluster TEXT`: answers to responses, in their order. */
  readonly answered: string[] = [];
  /** Of each first request of a type on a stream: `Cluster a=1 b=2`, what the client says that it holds. */
  readonly begun: string[] = [];
  /** Is told of each answer, by short name of the type. */
  onAnswer: (type: string) => void = () => undefined;
  /** Sent to whoever asks for everything, by short name of the type. */
  readonly offered = new Map<string, readonly SentResource[]>();
  /** Of a single name, or `TYPE name`; null is that it does not exist. A name that is not here gets no answer. */
  readonly answers = new Map<string, SentResource | readonly SentResource[] | null>();
  readonly #streams = new Map<Stream, Set<string>>();
  #server = this.#makeServer();
  #port = 0;
  #nonces = 0;

  /** Resolves with the port: the same one each time. */
  async start(): Promise<number> {
    this.#port = await new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${this.#port}`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return this.#port;
  }

  stop(): void {
    this.#server.forceShutdown();
    this.#streams.clear();
    this.#server = this.#makeServer();
  }

  /** An answer to a name that waits for one, or a change. */
  send(type: string, resources: readonly SentResource[], removed: readonly string[] = []): void {
    for (const stream of this.#streams.keys()) this.#write(stream, typeUrls[type]!, { resources, removed });
  }

  #makeServer(): Server {
    const server = new Server();
    const bytes = { serialize: (value: Uint8Array) => Buffer.from(value), deserialize: (value: Buffer) => value };
    const definition = {
      path: aggregatedMethod('delta'),
      requestStream: true,
      responseStream: true,
      requestSerialize: bytes.serialize,
      requestDeserialize: bytes.deserialize,
      responseSerialize: bytes.serialize,
      responseDeserialize: bytes.deserialize,
    } as const;
    server.addService({ stream: definition }, { stream: (stream: Stream) => this.#serve(stream) });
    return server;
  }

  #serve(stream: Stream): void {
    this.#streams.set(stream, new Set());
    stream.on('data', (message: Uint8Array) => this.#onRequest(stream, message));
    // The client is gone.
    stream.on('error', () => this.#streams.delete(stream));
    stream.on('end', () => stream.end());
    stream.on('close', () => this.#streams.delete(stream));
  }

  #onRequest(stream: Stream, message: Uint8Array): void {
    const { type, subscribe, unsubscribe, nonce, error, initialVersions } = readRequest('delta', message);
    const short = type.slice(type.lastIndexOf('.') + 1);
    if (nonce !== '') {
      this.answered.push(error === undefined ? `ack ${short}` : `nack ${short} ${error}`);
      this.onAnswer(short);
      return;
    }
    const seen = this.#streams.get(stream)!;
    const isFirst = !seen.has(type);
    seen.add(type);
    const versions = Object.entries(initialVersions).map(([name, version]) => ` ${name}=${version}`);
    if (isFirst) this.begun.push(`${short}${versions.join('')}`);
    for (const name of unsubscribe) this.asked.push(`-${short} ${name}`);
    const names = subscribe.filter((name) => name !== '*');
    for (const name of names) this.asked.push(`+${short} ${name}`);
    const isWhole = isFirst && (subscribe.length === 0 || subscribe.includes('*'));
    if (isWhole) this.#write(stream, type, { resources: this.offered.get(short) ?? [], removed: [] });
    const given = names.map((name) => {
      const key = this.answers.has(`${short} ${name}`) ? `${short} ${name}` : name;
      return [name, this.answers.get(key)] as const;
    });
    const resources = given.flatMap(([, answer]) => answer ?? []);
    const removed = given.flatMap(([name, answer]) => (answer === null ? [name] : []));
    if (resources.length + removed.length > 0) this.#write(stream, type, { resources, removed });
  }

  #write(
    stream: Stream,
    type: string,
    sent: { readonly resources: readonly SentResource[]; readonly removed: readonly string[] },
  ): void {
    const nonce = `n${++this.#nonces}`;
    stream.write(writeResponse('delta', { type, nonce, version: nonce, ...sent }));
  }
}

export async function startAskedControlPlane(t: Test): Promise<{ controlPlane: AskedControlPlane; port: number }> {
  const controlPlane = new AskedControlPlane();
  const port = await controlPlane.start();
  t.teardown(() => controlPlane.stop());
  return { controlPlane, port };
}
