// Two concurrent states of a cluster's members as one: the endpoints of both, each address once.

import { Problems } from '../config/problems.ts';
import type { Cluster, ClusterLoadAssignment, LocalityLbEndpoints } from '../xds/generated/messages.ts';
import type { Message } from '../xds/message/message-descriptor.ts';
import { decodeMessage, encodeMessage } from '../xds/message/wire-message.ts';
import type { ServedType } from './served-type.ts';

/**
 * What both say is taken from the first. Undefined when there is nothing to merge: then the first stands as it is. The
 * same two messages are merged once, since of thousands of clusters few change at a time.
 */
export function mergeMessages(type: ServedType, first: Uint8Array, second: Uint8Array): Uint8Array | undefined {
  const known = mergedWith.get(first) ?? new WeakMap<Uint8Array, Uint8Array>();
  mergedWith.set(first, known);
  const merged = known.get(second) ?? merge(type, first, second);
  if (merged !== undefined) known.set(second, merged);
  return merged;
}

const mergedWith = new WeakMap<Uint8Array, WeakMap<Uint8Array, Uint8Array>>();

function merge(type: ServedType, first: Uint8Array, second: Uint8Array): Uint8Array | undefined {
  const { messageType, shortName } = type;
  if (shortName !== 'eds' && shortName !== 'cds') return undefined;
  const problems = new Problems();
  const a = decodeMessage(first, messageType, problems);
  const b = decodeMessage(second, messageType, problems);
  // Bytes that are not understood here may be understood by who they are for, but cannot be put together.
  if (a === undefined || b === undefined || !problems.isEmpty) return undefined;
  const merged = shortName === 'eds' ? mergeAssignments(a, b) : mergeClusters(a, b);
  return merged && encodeMessage(merged as Message, messageType);
}

/** Members of EDS clusters are merged as assignments. */
function mergeClusters(a: Cluster, b: Cluster) {
  if (a.type !== b.type || a.loadAssignment === undefined || b.loadAssignment === undefined) return undefined;
  return { ...a, loadAssignment: mergeAssignments(a.loadAssignment, b.loadAssignment) };
}

function mergeAssignments(a: ClusterLoadAssignment, b: ClusterLoadAssignment): ClusterLoadAssignment {
  const localities = new Map<string, LocalityLbEndpoints>();
  const known = new Set<string>();
  for (const locality of [...(a.endpoints ?? []), ...(b.endpoints ?? [])]) {
    const key = JSON.stringify([locality.locality ?? {}, locality.priority ?? 0]);
    const added = (locality.lbEndpoints ?? []).filter((endpoint) => {
      const address = JSON.stringify(endpoint.endpoint?.address ?? endpoint);
      return !known.has(address) && known.add(address);
    });
    const before = localities.get(key);
    const lbEndpoints = [...(before?.lbEndpoints ?? []), ...added];
    localities.set(key, { ...(before ?? locality), lbEndpoints });
  }
  return { ...a, endpoints: [...localities.values()] };
}
