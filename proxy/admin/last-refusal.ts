import type { TypeStatus } from '../../config/dynamic-state.ts';

/** Undefined unless the last word on a type was a refusal; of two in one millisecond the refusal counts. */
export function lastRefusal({ lastAck, lastNack }: Pick<TypeStatus, 'lastAck' | 'lastNack'>): TypeStatus['lastNack'] {
  return lastAck !== undefined && lastNack !== undefined && lastAck.atMs > lastNack.atMs ? undefined : lastNack;
}
