// Certificates of Istio's CA (`istio.v1.auth.IstioCertificateService`): who asks is known by a token, or by the certificate
// that is held already, and gets one for the identity that it has; what the request says of its name does not matter.
// https://github.com/istio/api/blob/master/security/v1alpha1/ca.proto

import { Client, type ServiceError, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import type { GrpcCluster, GrpcService } from '../../config/config-source.ts';
import { asBuffer, asBytes } from '../../config/grpc-client.ts';
import { callMetadata, clientOptionsFor } from '../client/grpc-call.ts';
import { channelCredentials } from '../client/grpc-credentials.ts';
import { describeFailure } from '../client/grpc-failure.ts';
import { type GrpcPeer, peersOf } from '../client/grpc-peer.ts';
import { wireTypes } from '../message/wire-scalar.ts';
import { type KeyKind, makeCertificateRequest } from './certificate-request.ts';
import type { Identity, IdentitySource } from './identity.ts';
import { endOfCertificate } from './issued-certificate.ts';

export interface IstioCaOptions {
  /** Where the CA is; its token is read anew for each call. */
  readonly service: GrpcService;
  readonly clusters: ReadonlyMap<string, GrpcCluster>;
  /** `spiffe://cluster.local/ns/default/sa/default`. */
  readonly spiffeId: string;
  readonly keyKind: KeyKind;
  /** How long the certificate is to live; the CA may give less. */
  readonly lifetimeMs: number;
  /** `metadata` of the request, such as `CertSigner`. */
  readonly signer?: string;
}

/** As long as Istio's agents wait. */
const callTimeoutMs = 10_000;
/** A chain has a few kilobytes. */
const maxResponseBytes = 1024 * 1024;

export class IstioCa implements IdentitySource {
  readonly name: string;
  readonly #options: IstioCaOptions;
  readonly #peers: readonly GrpcPeer[];

  /** Throws for a service whose cluster is not there. */
  constructor(options: IstioCaOptions) {
    this.#options = options;
    this.#peers = peersOf(options.service, options.clusters);
    this.name = `the CA at ${this.#peers.map(({ name }) => name).join(', ')}`;
  }

  async request(): Promise<Identity> {
    const { spiffeId, keyKind } = this.#options;
    const { privateKey, request } = await makeCertificateRequest(spiffeId, keyKind);
    const answer = await this.#ask(this.#encode(request));
    return identityOf(readChain(answer), privateKey);
  }

  /** The peers are tried in turn: the first that answers is believed, and what the last one says is told. */
  async #ask(request: Uint8Array): Promise<Uint8Array> {
    const reasons: string[] = [];
    for (const peer of this.#peers) {
      try {
        return await this.#call(peer, request);
      } catch (error) {
        reasons.push((error as Error).message);
      }
    }
    throw new Error(reasons.join('; '));
  }

  // A connection for each call, of which there are a few a day: roots and tokens are read again.
  async #call(peer: GrpcPeer, request: Uint8Array): Promise<Uint8Array> {
    const metadata = callMetadata(this.#options.service, peer);
    const client = new Client(
      peer.uri,
      channelCredentials(peer, () => undefined),
      { ...clientOptionsFor(peer), 'grpc.max_receive_message_length': maxResponseBytes },
    );
    const options = { deadline: Date.now() + callTimeoutMs };
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    client.makeUnaryRequest(METHOD, asBuffer, asBytes, request, metadata, options, (error, response) => {
      client.close();
      if (error !== null) reject(new Error(describeCall(error, peer)));
      else resolve(response ?? new Uint8Array());
    });
    return promise;
  }

  #encode(request: string): Uint8Array {
    const { lifetimeMs, signer } = this.#options;
    const writer = protobuf.Writer.create();
    writer.uint32(tag(1)).string(request);
    writer.uint32((3 << 3) | wireTypes.varint).int64(Math.round(lifetimeMs / 1000));
    if (signer !== undefined) writer.uint32(tag(4)).bytes(signerMetadata(signer));
    return writer.finish();
  }
}

/** `google.protobuf.Struct` with one string. */
function signerMetadata(signer: string): Uint8Array {
  const value = protobuf.Writer.create().uint32(tag(3)).string(signer).finish();
  const entry = protobuf.Writer.create().uint32(tag(1)).string('CertSigner').uint32(tag(2)).bytes(value).finish();
  return protobuf.Writer.create().uint32(tag(1)).bytes(entry).finish();
}

/** `cert_chain` of `IstioCertificateResponse`. */
function readChain(response: Uint8Array): readonly string[] {
  const chain: string[] = [];
  const reader = protobuf.Reader.create(response);
  while (reader.pos < reader.len) {
    const key = reader.uint32();
    if (key === tag(1)) chain.push(reader.string());
    else reader.skipType(key & 7);
  }
  return chain;
}

/** The own certificate comes first, the roots are the last element, which may hold many. */
function identityOf(chain: readonly string[], privateKey: string): Identity {
  const [own] = chain;
  const roots = chain.at(-1);
  if (own === undefined || roots === undefined || chain.length < 2) {
    throw new Error('the CA answered without a certificate and a root');
  }
  return {
    certificateChain: chain.slice(0, -1).map(withNewline).join(''),
    privateKey,
    roots: withNewline(roots),
    notAfterMs: endOfCertificate(own, privateKey, 'the answer of the CA'),
  };
}

function withNewline(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`;
}

function describeCall({ code, details }: ServiceError, peer: GrpcPeer): string {
  const isConnected = code !== status.UNAVAILABLE && code !== status.DEADLINE_EXCEEDED;
  return describeFailure({ code, details, peer: peer.name, isConnected }).reason;
}

function tag(field: number): number {
  return (field << 3) | wireTypes.length;
}

const METHOD = '/istio.v1.auth.IstioCertificateService/CreateCertificate';
