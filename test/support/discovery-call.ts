// A raw client of a control plane's gRPC services: sends requests as bytes, hands out responses one by one.

import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Test } from 'tap';
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  encodeRequest,
  readDeltaResponse,
  readStateOfTheWorldResponse,
} from '../../xds/client/discovery-wire.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import { typeUrls } from './control-plane-fixtures.ts';

const aggregated = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

export interface DiscoveryCallOptions {
  readonly address: string;
  readonly protocol?: 'delta' | 'state-of-the-world';
  /** Of the aggregated service when left out. */
  readonly method?: string;
  readonly nodeId?: string;
  readonly tls?: { readonly authority: Buffer; readonly certificate?: Buffer; readonly key?: Buffer };
}

export class DiscoveryCall {
  readonly stream: ClientDuplexStream<Uint8Array, Buffer>;
  /** Resolves with the status that ended the stream. */
  readonly ended: Promise<ServiceError>;
  readonly #protocol: 'delta' | 'state-of-the-world';
  readonly #waiting: ((response: DiscoveryResponse) => void)[] = [];
  readonly #responses: DiscoveryResponse[] = [];
  #node: Uint8Array | undefined;

  constructor(t: Test, { address, protocol = 'delta', method, nodeId = 'node', tls }: DiscoveryCallOptions) {
    this.#protocol = protocol;
    this.#node = encodeMessage({ id: nodeId, cluster: 'test' }, 'envoy.config.core.v3.Node');
    const secured = tls && credentials.createSsl(tls.authority, tls.key ?? null, tls.certificate ?? null);
    const client = new Client(address, secured ?? credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
    const path = method ?? `${aggregated}/${protocol === 'delta' ? 'Delta' : 'Stream'}AggregatedResources`;
    this.stream = client.makeBidiStreamRequest(
      path,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
    );
    this.stream.on('data', (bytes: Buffer) => this.#onResponse(bytes));
    this.ended = new Promise((resolve) => this.stream.once('error', resolve));
    t.teardown(() => {
      this.stream.cancel();
      client.close();
    });
  }

  /** Sends what a delta client says. */
  ask(shortName: string, parts: Partial<Extract<DiscoveryRequest, { kind: 'delta' }>> = {}): void {
    const typeUrl = typeUrls[shortName] ?? '';
    this.#send({ kind: 'delta', typeUrl, subscribe: [], unsubscribe: [], initialVersions: [], nonce: '', ...parts });
  }

  /** Sends what a client of the state of the world says. */
  askWhole(shortName: string, names: readonly string[] = []): void {
    this.#send({ kind: 'state-of-the-world', typeUrl: typeUrls[shortName] ?? '', version: '', names, nonce: '' });
  }

  /** The next response, past or future. */
  next(): Promise<DiscoveryResponse> {
    const past = this.#responses.shift();
    return past === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(past);
  }

  #send(request: DiscoveryRequest): void {
    this.stream.write(encodeRequest(request, this.#node));
    this.#node = undefined;
  }

  #onResponse(bytes: Buffer): void {
    const result = this.#protocol === 'delta' ? readDeltaResponse(bytes) : readStateOfTheWorldResponse(bytes);
    if (result.kind !== 'response') throw new Error(result.reason);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#responses.push(result.response);
    else waiting(result.response);
  }
}
