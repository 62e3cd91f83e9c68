// What the main thread has of listeners, for two workers that are not there: the test closes what they would own.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Test } from 'tap';
import type { Listener } from '../../config/listener.ts';
import { close } from '../../native/socket.ts';
import { OpenListeners } from '../../proxy/worker/open-listeners.ts';
import { answering } from './listener-fixtures.ts';

/** Listeners of two workers; the descriptors that workers would own are closed at the end. */
export function makeOpenListeners(t: Test) {
  const listeners = new OpenListeners(2);
  const owned: number[] = [];
  t.teardown(() => {
    for (const descriptor of owned) close(descriptor);
  });
  /** What one worker is told; of several listeners about the first. */
  const place = (config: Listener, removed: readonly string[] = [], ...others: readonly Listener[]) => {
    const set = [config, ...others].map((each) => [each.name, each] as const);
    const places = listeners.place({ set, removed });
    for (const placed of places.values()) {
      if ('reason' in placed) continue;
      for (const each of placed) if (each.kind === 'open') owned.push(...each.sockets.descriptors);
    }
    const placed = places.get(config.name)!;
    return 'reason' in placed ? placed : placed[0]!;
  };
  const remove = (name: string): void => {
    listeners.place({ set: [], removed: [name] });
  };
  return { listeners, place, remove, owned };
}

export const portOf = (listeners: OpenListeners) => Number(listeners.bound()[0]?.address.split(':')[1]);
export const at = (port: number, given: Partial<Listener> = {}) =>
  answering('http', 'x', { address: { kind: 'ip', ip: '127.0.0.1', port }, ...given });

/** Inodes of the sockets that listen at a port: unlike counted descriptors, nobody else's. */
export function listeningAt(port: number): readonly string[] {
  const place = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = readFileSync('/proc/self/net/tcp', 'utf8').trim().split('\n').slice(1);
  const listening = sockets.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === '0A');
  return listening.flatMap((fields) => (fields[1] === place ? [fields[9]!] : [])).sort();
}

/** What becomes of a client. */
export async function outcomeAt(port: number): Promise<string> {
  const client = connect(port, '127.0.0.1');
  const outcome = new Promise<string>((resolve) => {
    client.once('connect', () => resolve('connect'));
    client.once('error', (error: NodeJS.ErrnoException) => resolve(error.code!));
  });
  const text = await outcome;
  client.destroy();
  return text;
}
