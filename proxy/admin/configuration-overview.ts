// What the live page says of where configuration comes from: whether each source is there, what it gave, what was refused,
// and what is missing to serve all of it. `/xds` has it whole.

import type { DynamicState, SourceStatus, TypeStatus } from '../../config/dynamic-state.ts';
import type { ServerState } from '../command/server-state.ts';
import { lastRefusal } from './last-refusal.ts';
import { missingParts } from './missing-parts.ts';

const listedSources = 20;
const listedProblems = 5;

export function configurationOverview(
  dynamic: DynamicState,
  state: Pick<ServerState, 'snapshot' | 'bootstrap'>,
): unknown {
  const sources = dynamic.sources();
  const missing = missingParts(state);
  return {
    sources: sources.slice(0, listedSources).map(describe),
    sourceCount: sources.length,
    missing: missing.slice(0, listedProblems).map(({ path, message }) => `${path}: ${message}`),
    missingCount: missing.length,
  };
}

function describe({ name, target, protocol, connection, types }: SourceStatus): unknown {
  return {
    name,
    target,
    protocol,
    state: connection.kind,
    ...(connection.kind === 'connected' && { sinceMs: connection.sinceMs }),
    ...(connection.kind === 'waiting' && { error: connection.lastError }),
    held: types
      .filter(({ heldCount }) => heldCount > 0)
      .map((type) => ({ type: typeName(type), count: type.heldCount })),
    refused: types.flatMap(refusedOf),
  };
}

/** What was accepted before it stays in use. */
function refusedOf(type: TypeStatus): readonly unknown[] {
  const refusal = lastRefusal(type);
  if (refusal === undefined) return [];
  const [first = '', ...rest] = refusal.text.split('\n');
  return [{ type: typeName(type), atMs: refusal.atMs, reason: first, more: rest.length }];
}

/** `Cluster` of `type.googleapis.com/envoy.config.cluster.v3.Cluster`. */
function typeName({ typeUrl }: TypeStatus): string {
  return typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
}
