// Reads messages as collectors written in Go or Java do: a `string` that is not UTF-8 makes the whole message unreadable
// (https://protobuf.dev/programming-guides/proto3/#scalar). protobufjs puts other characters in its place.

import protobuf from 'protobufjs';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** To be decoded by a type of protobufjs, which then throws for text that is not UTF-8. */
export function strictReader(bytes: Uint8Array): protobuf.Reader {
  const reader = new protobuf.BufferReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  reader.string = () => utf8.decode(reader.bytes());
  return reader;
}
