// An identity from a SPIFFE agent on this node: the Workload API, a stream over a Unix socket on which the agent sends each
// new certificate by itself. https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md

import { Client, type ClientReadableStream, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import { asBuffer, asBytes, grpcClientOptions } from '../../config/grpc-client.ts';
import { pemOf } from '../../config/pem.ts';
import type { Random } from '../../config/random.ts';
import { BackOff } from '../client/back-off.ts';
import type { DiscoveryLog, Schedule } from '../client/discovery.ts';
import { describeFailure } from '../client/grpc-failure.ts';
import { wireTypes } from '../message/wire-scalar.ts';
import { HeldIdentity, type Identity, type RunningIdentity } from './identity.ts';
import { endOfCertificate } from './issued-certificate.ts';

export interface WorkloadApiOptions {
  /** `unix:///run/spire/agent.sock`. */
  readonly target: string;
  readonly random: Random;
  readonly schedule: Schedule;
  readonly log: DiscoveryLog;
}

export class WorkloadApi implements RunningIdentity {
  readonly #options: WorkloadApiOptions;
  readonly #held = new HeldIdentity();
  readonly #backOff: BackOff;
  #client: Client | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(options: WorkloadApiOptions) {
    this.#options = options;
    this.#backOff = new BackOff(options.random);
  }

  get current(): Identity | undefined {
    return this.#held.current;
  }

  subscribe(onIdentity: (identity: Identity) => void): () => void {
    return this.#held.subscribe(onIdentity);
  }

  start(): void {
    const client = new Client(this.#options.target, credentials.createInsecure(), {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      ...grpcClientOptions,
    });
    this.#client = client;
    // Section 4.1: who cannot set it is a browser or a request that was forged through another service.
    const metadata = new Metadata();
    metadata.set('workload.spiffe.io', 'true');
    const call = client.makeServerStreamRequest(METHOD, asBuffer, asBytes, new Uint8Array(), metadata, {});
    this.#follow(client, call);
  }

  stop(): void {
    this.#cancelRetry?.();
    this.#client?.close();
    this.#client = undefined;
  }

  #follow(client: Client, call: ClientReadableStream<Uint8Array>): void {
    call.on('data', (message: Uint8Array) => this.#take(message));
    call.on('status', (end: StatusObject) => {
      if (this.#client === client) this.#reopen(end);
    });
    // An error is a status too, which comes with it.
    call.on('error', () => undefined);
  }

  #take(message: Uint8Array): void {
    const { log, target } = this.#options;
    try {
      const identity = readIdentity(message, target);
      this.#backOff.reset();
      log('info', `a certificate came from ${target}`, { until: new Date(identity.notAfterMs).toISOString() });
      this.#held.hold(identity);
    } catch (error) {
      log('error', 'what the agent has sent cannot be used', { reason: (error as Error).message });
    }
  }

  /** The agent may be started after us, and is when its node is upgraded. */
  #reopen({ code, details }: StatusObject): void {
    const { log, schedule, target } = this.#options;
    this.stop();
    const { reason } = describeFailure({ code, details, peer: target, isConnected: this.current !== undefined });
    const retryInMs = this.#backOff.afterFailure();
    const what = this.current === undefined ? 'mutual TLS waits for it' : 'the certificate that is held serves on';
    log('warning', `no certificate comes from ${target}: ${what}`, { reason, retryInMs });
    this.#cancelRetry = schedule(retryInMs, () => this.start());
  }
}

/** The first of `X509SVIDResponse.svids`, which is the workload's default. Throws an Error with a sentence. */
function readIdentity(message: Uint8Array, target: string): Identity {
  const svid = fieldsOf(message).get(1);
  if (svid === undefined) throw new Error(`${target} has no identity for this workload`);
  const fields = fieldsOf(svid);
  const [chain, key, bundle] = [fields.get(2), fields.get(3), fields.get(4)];
  if (chain === undefined || key === undefined || bundle === undefined) {
    throw new Error(`${target} has sent an identity without its certificate, key or bundle`);
  }
  const certificateChain = certificatesOf(chain, target);
  const privateKey = pemOf('PRIVATE KEY', key);
  const roots = certificatesOf(bundle, target);
  return { certificateChain, privateKey, roots, notAfterMs: endOfCertificate(certificateChain, privateKey, target) };
}

/** The first of each field that has a length. */
function fieldsOf(message: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>();
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) !== wireTypes.length) reader.skipType(tag & 7);
    else {
      const bytes = reader.bytes();
      if (!fields.has(tag >>> 3)) fields.set(tag >>> 3, bytes);
    }
  }
  return fields;
}

/** Certificates lie one behind the other in DER (`x509_svid`, `bundle`): each says its own length. */
function certificatesOf(der: Uint8Array, target: string): string {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.length);
  const found: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    const length = elementLength(bytes, start);
    if (length === undefined) throw new Error(`${target} has sent a certificate that cannot be read`);
    found.push(pemOf('CERTIFICATE', bytes.subarray(start, start + length)));
    start += length;
  }
  return found.join('');
}

/** Of a SEQUENCE with its head; undefined when there is none, or it is cut. */
function elementLength(bytes: Buffer, start: number): number | undefined {
  const first = bytes[start + 1];
  if (bytes[start] !== SEQUENCE || first === undefined) return undefined;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 3 || start + 2 + lengthBytes > bytes.length) return undefined;
  const content = lengthBytes === 0 ? first : bytes.readUIntBE(start + 2, lengthBytes);
  const length = 2 + lengthBytes + content;
  return start + length <= bytes.length ? length : undefined;
}

const METHOD = '/SpiffeWorkloadAPI/FetchX509SVID';
const SEQUENCE = 0x30;
/** A workload may have several identities, and bundles of many trust domains. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
