// Discovery requests and responses on the wire (envoy/service/discovery/v3/discovery.proto), read and written by hand.
// A push of a whole mesh is one message of a hundred megabytes: generated code would make an object of every level, only
// to be taken apart again, where here each resource is one object with a view of its bytes.

import protobuf, { type Reader, type Writer } from 'protobufjs/minimal.js';
import { closeFrame, openFrame } from '../message/wire-frame.ts';
import { nearestDouble, wireTypes } from '../message/wire-scalar.ts';
import type { ReceivedResource } from './discovery.ts';

/** What a client says, in either protocol. Lists that are empty are not on the wire. */
export type DiscoveryRequest =
  | {
      readonly kind: 'delta';
      readonly typeUrl: string;
      readonly subscribe: readonly string[];
      readonly unsubscribe: readonly string[];
      readonly initialVersions: readonly (readonly [name: string, version: string])[];
      /** Empty unless it answers a response. */
      readonly nonce: string;
      /** Why the response was not accepted. */
      readonly refusal?: string;
    }
  | {
      readonly kind: 'state-of-the-world';
      readonly typeUrl: string;
      /** The last version that was accepted. */
      readonly version: string;
      readonly names: readonly string[];
      readonly nonce: string;
      readonly refusal?: string;
    };

/** A response of either protocol. */
export interface DiscoveryResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  /** `control_plane.identifier`, empty without one. */
  readonly controlPlane: string;
  readonly resources: readonly WireResource[];
  readonly removed: readonly string[];
}

/** `name` is empty where the wire has none: state-of-the-world resources say it inside of their message only. */
export interface WireResource extends ReceivedResource {
  /** Type of `message`; empty for a heartbeat. */
  readonly payloadType: string;
}

export type ReadResult =
  | { readonly kind: 'response'; readonly response: DiscoveryResponse }
  | { readonly kind: 'malformed'; readonly reason: string };

/** `node` is an encoded `core.v3.Node`, or undefined where the stream had it before. */
export function encodeRequest(request: DiscoveryRequest, node: Uint8Array | undefined): Uint8Array {
  const writer = protobuf.Writer.create();
  if (request.kind === 'delta') {
    if (node !== undefined) writer.uint32(tag(1)).bytes(node);
    writeString(writer, 2, request.typeUrl);
    for (const name of request.subscribe) writer.uint32(tag(3)).string(name);
    for (const name of request.unsubscribe) writer.uint32(tag(4)).string(name);
    for (const [name, version] of request.initialVersions) writeVersion(writer, name, version);
    writeString(writer, 6, request.nonce);
    writeRefusal(writer, 7, request.refusal);
  } else {
    writeString(writer, 1, request.version);
    if (node !== undefined) writer.uint32(tag(2)).bytes(node);
    for (const name of request.names) writer.uint32(tag(3)).string(name);
    writeString(writer, 4, request.typeUrl);
    writeString(writer, 5, request.nonce);
    writeRefusal(writer, 6, request.refusal);
  }
  return writer.finish();
}

/** A `DeltaDiscoveryResponse`. Messages of resources are views of `bytes`. */
export function readDeltaResponse(bytes: Uint8Array): ReadResult {
  return read(bytes, readDelta);
}

/** A `DiscoveryResponse`. Resources that are wrapped for the sake of a TTL are unwrapped. */
export function readStateOfTheWorldResponse(bytes: Uint8Array): ReadResult {
  return read(bytes, readStateOfTheWorld);
}

const wrapperType = 'type.googleapis.com/envoy.service.discovery.v3.Resource';

/** `google.rpc.Code.INVALID_ARGUMENT`. */
const invalidArgument = 3;

/** Of a field with a length. */
function tag(field: number): number {
  return (field << 3) | wireTypes.length;
}

const secondsTag = (1 << 3) | wireTypes.varint;
const nanosTag = (2 << 3) | wireTypes.varint;
const codeTag = (1 << 3) | wireTypes.varint;

function writeString(writer: Writer, field: number, text: string): void {
  if (text !== '') writer.uint32(tag(field)).string(text);
}

function writeVersion(writer: Writer, name: string, version: string): void {
  writer.uint32(tag(5)).fork().uint32(tag(1)).string(name).uint32(tag(2)).string(version).ldelim();
}

function writeRefusal(writer: Writer, field: number, refusal: string | undefined): void {
  if (refusal === undefined) return;
  writer.uint32(tag(field)).fork().uint32(codeTag).int32(invalidArgument).uint32(tag(2)).string(refusal).ldelim();
}

/** The reader throws on bytes that are no message; nothing of that leaves this file. */
function read(bytes: Uint8Array, readMessage: (reader: Reader) => DiscoveryResponse): ReadResult {
  try {
    return { kind: 'response', response: readMessage(protobuf.Reader.create(bytes)) };
  } catch (error) {
    return { kind: 'malformed', reason: (error as Error).message };
  }
}

function readDelta(reader: Reader): DiscoveryResponse {
  const resources: WireResource[] = [];
  const removed: string[] = [];
  let version = '';
  let typeUrl = '';
  let nonce = '';
  let controlPlane = '';
  readFields(reader, (field) => {
    if (field === tag(1)) version = readString(reader);
    else if (field === tag(2)) resources.push(framed(reader, readResource));
    else if (field === tag(4)) typeUrl = readString(reader);
    else if (field === tag(5)) nonce = readString(reader);
    else if (field === tag(6)) removed.push(readString(reader));
    else if (field === tag(7)) controlPlane = framed(reader, readFirstString);
    else if (field === tag(8)) removed.push(framed(reader, readFirstString));
    else return false;
    return true;
  });
  return { typeUrl, version, nonce, controlPlane, resources, removed };
}

function readStateOfTheWorld(reader: Reader): DiscoveryResponse {
  const resources: WireResource[] = [];
  let version = '';
  let typeUrl = '';
  let nonce = '';
  let controlPlane = '';
  readFields(reader, (field) => {
    if (field === tag(1)) version = readString(reader);
    else if (field === tag(2)) resources.push(readBareResource(reader));
    else if (field === tag(4)) typeUrl = readString(reader);
    else if (field === tag(5)) nonce = readString(reader);
    else if (field === tag(6)) controlPlane = framed(reader, readFirstString);
    else return false;
    return true;
  });
  // A resource without a wrapper has no version but that of the response, which operators look for.
  const versioned = resources.map((resource) => (resource.name === '' ? { ...resource, version } : resource));
  return { typeUrl, version, nonce, controlPlane, resources: versioned, removed: [] };
}

function readBareResource(reader: Reader): WireResource {
  const { typeUrl, value } = framed(reader, readAny);
  if (typeUrl !== wrapperType) return { name: '', version: '', aliases: [], message: value, payloadType: typeUrl };
  return readResource(protobuf.Reader.create(value));
}

/** A `Resource`: name, version and TTL around a message. */
function readResource(reader: Reader): WireResource {
  const aliases: string[] = [];
  let name = '';
  let otherName = '';
  let version = '';
  let payload: Payload | undefined;
  let ttlMs: number | undefined;
  readFields(reader, (field) => {
    if (field === tag(1)) version = readString(reader);
    else if (field === tag(2)) payload = framed(reader, readAny);
    else if (field === tag(3)) name = readString(reader);
    else if (field === tag(4)) aliases.push(readString(reader));
    else if (field === tag(6)) ttlMs = framed(reader, readDuration);
    else if (field === tag(8)) otherName = framed(reader, readFirstString);
    else return false;
    return true;
  });
  return {
    name: name || otherName,
    version,
    aliases,
    ...(ttlMs !== undefined && { ttlMs }),
    message: payload?.value,
    payloadType: payload?.typeUrl ?? '',
  };
}

interface Payload {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** `google.protobuf.Any`. */
function readAny(reader: Reader): Payload {
  let typeUrl = '';
  let value: Uint8Array = noBytes;
  readFields(reader, (field) => {
    if (field === tag(1)) typeUrl = readString(reader);
    else if (field === tag(2)) value = reader.bytes();
    else return false;
    return true;
  });
  return { typeUrl, value };
}

const noBytes = new Uint8Array(0);

/** `google.protobuf.Duration` in milliseconds. */
function readDuration(reader: Reader): number {
  let ms = 0;
  readFields(reader, (field) => {
    if (field === secondsTag) ms += nearestDouble(reader.int64()) * 1000;
    else if (field === nanosTag) ms += reader.int32() / 1e6;
    else return false;
    return true;
  });
  return Math.max(0, ms);
}

/** Field 1 of a message that is of no other interest. */
function readFirstString(reader: Reader): string {
  let text = '';
  readFields(reader, (field) => {
    if (field !== tag(1)) return false;
    text = readString(reader);
    return true;
  });
  return text;
}

/** A message within a message. */
function framed<T>(reader: Reader, readMessage: (reader: Reader) => T): T {
  const outer = openFrame(reader);
  const message = readMessage(reader);
  closeFrame(reader, outer);
  return message;
}

/** Goes through the fields that are left; what `onField` does not take is skipped. */
function readFields(reader: Reader, onField: (field: number) => boolean): void {
  while (reader.pos < reader.len) {
    const field = reader.tag();
    if (!onField(field)) reader.skipType(field & 7, 0, field >>> 3);
  }
}

/**
 * Replacing what is not UTF-8 would make one name of two, so it is refused, as proto3 asks. The reader's own
 * `stringVerify` makes a response with 10,000 resources take 45 ms instead of 14.
 */
function readString(reader: Reader): string {
  return utf8.decode(reader.bytes());
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
