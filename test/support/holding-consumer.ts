// A consumer that writes down what it is told, and keeps the bytes of what it takes.

import type { HoldingConsumer } from '../../xds/client/cached-source.ts';
import { RecordingConsumer } from './discovery-fixtures.ts';

export interface RecordedConsumer {
  readonly consumer: HoldingConsumer;
  readonly recorder: RecordingConsumer;
}

/** Resources whose name begins with `key` hold keys, and those whose name begins with `brief` expire. */
export function holdingConsumer(typeUrl: string): RecordedConsumer {
  const recorder = new RecordingConsumer(typeUrl);
  const messages = new Map<string, Uint8Array>();
  const consumer: HoldingConsumer = {
    type: recorder.type,
    heldVersions: () => recorder.heldVersions(),
    onUpdate: (update) => {
      for (const { name, message } of update.resources) if (message !== undefined) messages.set(name, message);
      return recorder.onUpdate(update);
    },
    prepare: (resources) => recorder.prepare(resources),
    onAbsent: (name) => recorder.onAbsent(name),
    held: () =>
      [...recorder.held].map(([name, version]) => {
        const resource = {
          version,
          bytes: messages.get(name)!,
          holdsKeys: name.startsWith('key'),
          expires: name.startsWith('brief'),
        };
        return [name, resource] as const;
      }),
  };
  return { consumer, recorder };
}
