// The server's side of the discovery messages (`envoy.service.discovery.v3`): requests from bytes, responses to bytes.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/discovery/v3/discovery.proto

import { FieldWriter, readFields, readString } from './wire-format.ts';

/** What is read of `config.core.v3.Node`. */
export interface ClientNode {
  readonly id: string;
  readonly cluster: string;
  readonly userAgent: string;
  readonly clientFeatures: readonly string[];
}

interface Request {
  /** Undefined when the request has none, as all but the first of a stream may. */
  readonly node: ClientNode | undefined;
  /** Empty on streams of one type. */
  readonly typeUrl: string;
  readonly responseNonce: string;
  /** Text of `error_detail`: what the client refused, its first 16 KiB. */
  readonly refusal: string | undefined;
}

export interface DeltaRequest extends Request {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Name and version of what the client has. */
  readonly held: ReadonlyMap<string, string>;
}

export interface StateOfTheWorldRequest extends Request {
  /** Version that the client accepted last; empty for none. */
  readonly version: string;
  readonly names: readonly string[];
}

export interface DeltaResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly SentResource[];
  readonly removed: readonly string[];
}

export interface StateOfTheWorldResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly SentResource[];
}

export interface SentResource {
  readonly name: string;
  readonly version: string;
  readonly message: Uint8Array;
}

/** Undefined when the bytes are no such message. */
export function readDeltaRequest(bytes: Uint8Array): DeltaRequest | undefined {
  const request = { ...emptyRequest(), subscribe: [] as string[], unsubscribe: [] as string[], held: new Map() };
  let isRight = true;
  const isMessage = readFields(bytes, (field, value) => {
    if (field === 1) isRight &&= readNode(value, request);
    else if (field === 2) request.typeUrl = readString(value);
    else if (field === 3) request.subscribe.push(readString(value));
    else if (field === 4) request.unsubscribe.push(readString(value));
    else if (field === 5) isRight &&= readHeld(value, request.held);
    else if (field === 6) request.responseNonce = readString(value);
    else if (field === 7) isRight &&= readRefusal(value, request);
  });
  return isMessage && isRight ? request : undefined;
}

/** Undefined when the bytes are no such message. */
export function readStateOfTheWorldRequest(bytes: Uint8Array): StateOfTheWorldRequest | undefined {
  const request = { ...emptyRequest(), version: '', names: [] as string[] };
  let isRight = true;
  const isMessage = readFields(bytes, (field, value) => {
    if (field === 1) request.version = readString(value);
    else if (field === 2) isRight &&= readNode(value, request);
    else if (field === 3) request.names.push(readString(value));
    else if (field === 4) request.typeUrl = readString(value);
    else if (field === 5) request.responseNonce = readString(value);
    else if (field === 6) isRight &&= readRefusal(value, request);
  });
  return isMessage && isRight ? request : undefined;
}

export function writeDeltaResponse({ typeUrl, version, nonce, resources, removed }: DeltaResponse): Buffer {
  const response = new FieldWriter().string(1, version);
  for (const resource of resources) {
    const any = new FieldWriter().string(1, typeUrl).bytes(2, resource.message);
    response.message(2, new FieldWriter().string(1, resource.version).message(2, any).string(3, resource.name));
  }
  response.string(4, typeUrl).string(5, nonce);
  for (const name of removed) response.string(6, name);
  return response.message(7, controlPlane).finish();
}

export function writeStateOfTheWorldResponse(response: StateOfTheWorldResponse): Buffer {
  const { typeUrl, version, nonce, resources } = response;
  const writer = new FieldWriter().string(1, version);
  for (const { message } of resources) writer.message(2, new FieldWriter().string(1, typeUrl).bytes(2, message));
  return writer.string(4, typeUrl).string(5, nonce).message(6, controlPlane).finish();
}

/** `config.core.v3.ControlPlane`: clients show who serves them. */
const controlPlane = new FieldWriter().string(1, 'outrigger control-plane');

interface RequestParts {
  node: ClientNode | undefined;
  typeUrl: string;
  responseNonce: string;
  refusal: string | undefined;
}

function emptyRequest(): RequestParts {
  return { node: undefined, typeUrl: '', responseNonce: '', refusal: undefined };
}

function readNode(bytes: Uint8Array, request: RequestParts): boolean {
  const node = { id: '', cluster: '', userAgent: '', clientFeatures: [] as string[] };
  request.node = node;
  return readFields(bytes, (field, value) => {
    if (field === 1) node.id = readString(value);
    else if (field === 2) node.cluster = readString(value);
    else if (field === 6) node.userAgent = readString(value);
    else if (field === 10) node.clientFeatures.push(readString(value));
  });
}

/** An entry of a map is a message with its key and value. */
function readHeld(bytes: Uint8Array, held: Map<string, string>): boolean {
  let name = '';
  let version = '';
  const isMessage = readFields(bytes, (field, value) => {
    if (field === 1) name = readString(value);
    else if (field === 2) version = readString(value);
  });
  held.set(name, version);
  return isMessage;
}

/** Refusals are kept and logged, and Envoy repeats in them what it refused. */
const maxRefusalBytes = 16 * 1024;

/** `google.rpc.Status`: its presence is the refusal, its text may be missing. */
function readRefusal(bytes: Uint8Array, request: RequestParts): boolean {
  request.refusal = '';
  return readFields(bytes, (field, value) => {
    if (field === 2) request.refusal = readString(value.subarray(0, maxRefusalBytes));
  });
}
