// What an old and a new process say to each other, and its bytes: a JSON object a packet. The peer may be any program of
// our user, and of another version, so that every field is checked; what is not exactly a message is undefined.

import type { Address } from '../../config/address.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';

/** Of everything said here but `hello` and `refused`, whose form never changes. `/hot_restart_version` shows it. */
export const hotRestartVersion = 'outrigger.1';

/** Of one message. A path of a Unix socket has 107 bytes, a listener's name is the longest field. */
export const maxMessageBytes = 16 * 1024;

export type FromSuccessor =
  | { readonly kind: 'hello'; readonly version: string; readonly epoch: number }
  | ({ readonly kind: 'sockets' } & WantedAddress)
  | { readonly kind: 'take-over' };

export type FromParent =
  /** Why there is no hot restart, as a sentence without its subject. */
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'welcome';
      /** How often the parent's own predecessors were replaced. */
      readonly generation: number;
      /** Of the first of all, milliseconds since the epoch. */
      readonly firstStartedAtMs: number;
      /** Of the descriptors that come with the message. */
      readonly names: readonly string[];
    }
  /** Comes with sockets. */
  | { readonly kind: 'sockets'; readonly isLast: boolean }
  | { readonly kind: 'retired' }
  /** Comes with a file. */
  | { readonly kind: 'statistics' };

/** Undefined when it is longer than a message may be. */
export function encodeMessage(message: FromSuccessor | FromParent): Buffer | undefined {
  const bytes = Buffer.from(JSON.stringify(message));
  return bytes.length > maxMessageBytes ? undefined : bytes;
}

export function decodeFromSuccessor(bytes: Buffer): FromSuccessor | undefined {
  const fields = objectOf(bytes);
  switch (fields?.['kind']) {
    case 'hello':
      return hasOnly(fields, ['kind', 'version', 'epoch']) && isText(fields['version']) && isCount(fields['epoch'])
        ? (fields as FromSuccessor)
        : undefined;
    case 'sockets':
      return isWantedAddress(fields) ? (fields as unknown as FromSuccessor) : undefined;
    case 'take-over':
      return hasOnly(fields, ['kind']) ? { kind: 'take-over' } : undefined;
    default:
      return undefined;
  }
}

export function decodeFromParent(bytes: Buffer): FromParent | undefined {
  const fields = objectOf(bytes);
  switch (fields?.['kind']) {
    case 'refused':
      return hasOnly(fields, ['kind', 'reason']) && isText(fields['reason']) ? (fields as FromParent) : undefined;
    case 'welcome':
      return isWelcome(fields) ? (fields as FromParent) : undefined;
    case 'sockets':
      return hasOnly(fields, ['kind', 'isLast']) && typeof fields['isLast'] === 'boolean'
        ? (fields as FromParent)
        : undefined;
    case 'retired':
    case 'statistics':
      return hasOnly(fields, ['kind']) ? { kind: fields['kind'] } : undefined;
    default:
      return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(bytes: Buffer): Fields | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasOnly(fields: Fields, names: readonly string[]): boolean {
  return Object.keys(fields).length === names.length && names.every((name) => Object.hasOwn(fields, name));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isWelcome(fields: Fields): boolean {
  const { generation, firstStartedAtMs, names } = fields;
  return (
    hasOnly(fields, ['kind', 'generation', 'firstStartedAtMs', 'names']) &&
    isCount(generation) &&
    typeof firstStartedAtMs === 'number' &&
    Array.isArray(names) &&
    names.every(isText)
  );
}

function isWantedAddress(fields: Fields): boolean {
  const { address, ipv4Compatible, listener } = fields;
  return (
    hasOnly(fields, ['kind', 'listener', 'address', 'ipv4Compatible']) &&
    isText(listener) &&
    typeof ipv4Compatible === 'boolean' &&
    isAddress(address)
  );
}

function isAddress(value: unknown): value is Address {
  if (!isObject(value)) return false;
  if (value['kind'] === 'pipe') return hasOnly(value, ['kind', 'path']) && isText(value['path']);
  const { ip, kind, port } = value;
  return kind === 'ip' && hasOnly(value, ['kind', 'ip', 'port']) && isText(ip) && isCount(port) && port <= 65_535;
}
