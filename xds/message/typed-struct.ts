// TypedStruct: a message as JSON with its type URL beside it, from senders that do not have its definition. What holds one
// holds the message inside: `Any` in memory is the same for both, so that no decoder knows the difference.

import type { Problems } from '../../config/problems.ts';
import { type Any, type Message, messageDescriptor } from './message-descriptor.ts';
import { readProtoJson } from './proto-json.ts';

/** The message inside. Unknown fields are problems: people write these, and a rule that is skipped does not protect. */
export function unwrapTypedStruct(struct: Message, problems: Problems): Any {
  const typeUrl = (struct['typeUrl'] as string | undefined) ?? '';
  const typeName = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  if (messageDescriptor(typeName) === undefined) return { typeUrl, typeName };
  const read = readProtoJson(struct['value'] ?? {}, typeName);
  for (const { path, message } of [...read.problems, ...read.unknownFields]) problems.at('value').at(path).add(message);
  return { typeUrl, typeName, message: read.message };
}
