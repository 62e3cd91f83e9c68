// Messages to and from the protobuf wire format. Checks and decoders do not know which road a message came by: from the
// wire or from JSON, it has the one form that messages have in memory (README.md).
//
// Nothing on the road of a static bootstrap imports this: protobufjs costs memory and start-up time.

import type { Problems } from '../../config/problems.ts';
import { type Message, messageDescriptor } from './message-descriptor.ts';
import { WireReader } from './wire-reader.ts';
import { writeWire } from './wire-writer.ts';

/** The bytes of a message of a generated type. Throws for opaque fields: their content is not known. */
export function encodeMessage(message: Message, typeName: string): Uint8Array {
  return writeWire(message, typeName);
}

/**
 * The message in `bytes`, or undefined when they are not one (recorded). What it holds that no enum has is recorded. Throws
 * only for a type that was not generated.
 */
export function decodeMessage(bytes: Uint8Array, typeName: string, problems: Problems): Message | undefined {
  const descriptor = messageDescriptor(typeName);
  if (descriptor === undefined) throw new Error(`no descriptor of message ${typeName}`);
  try {
    return new WireReader(bytes, problems).read(descriptor);
  } catch (error) {
    problems.add(`its bytes cannot be read as ${typeName}: ${(error as Error).message}`);
    return undefined;
  }
}
