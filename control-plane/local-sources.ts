// Files and environment variables that a resource names are those of the data plane's machine. Here they are not looked
// for: they need not be on this machine, and what another control plane sends is not to say what this process opens.

import type { Message } from '../xds/message/message-descriptor.ts';

const plain = {
  name: 'envoy.transport_sockets.raw_buffer',
  typedConfig: {
    typeUrl: 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
    typeName: 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
    message: {},
  },
};

/**
 * The message to be checked: empty text where a source is of the machine, and plain text where TLS is made of such, since
 * of keys that cannot be seen nothing can be said. The message itself when it names none.
 */
export function withoutLocalSources(message: Message): Message {
  return namesLocalSource(message) ? (replaced(message) as Message) : message;
}

function namesLocalSource(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(namesLocalSource);
  if (!isMessage(value)) return false;
  return isLocalSource(value) || Object.values(value).some(namesLocalSource);
}

function replaced(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(replaced);
  if (!isMessage(value)) return value;
  if (isLocalSource(value)) return { inlineString: '' };
  const entries = Object.entries(value).map(([field, inner]) => [field, replacedField(field, inner)]);
  return Object.fromEntries(entries);
}

function replacedField(field: string, value: unknown): unknown {
  return field === 'transportSocket' && namesLocalSource(value) ? plain : replaced(value);
}

/** `config.core.v3.DataSource` is the message that has fields of these names. */
function isLocalSource(message: Message): boolean {
  return typeof message['filename'] === 'string' || typeof message['environmentVariable'] === 'string';
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
}
