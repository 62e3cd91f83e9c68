// What is wrong with a response before anybody looks at its resources: names that are missing or said twice, messages of
// another type. The rest of the response is not to suffer from it.

import type { ReceivedResource, RefusedResource, ResourceConsumer, ResourceType } from './discovery.ts';
import type { DiscoveryResponse, WireResource } from './discovery-wire.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface CheckedResponse {
  /** Subscribed to, each name once. */
  readonly accepted: readonly ReceivedResource[];
  readonly refused: readonly RefusedResource[];
  /** Asked for by these names, and said not to exist. */
  readonly absent: readonly string[];
  /** All that came, whether it was right or wanted or not. */
  readonly names: ReadonlySet<string>;
  /** A resource did not even say its name: it may be any of those that seem not to have come. */
  readonly hasNameless: boolean;
}

/** The part of a consumer that a response is compared with. */
export type CheckedAgainst = Pick<ResourceConsumer, 'type' | 'heldVersions'>;

export function checkResponse(
  response: DiscoveryResponse,
  consumer: CheckedAgainst,
  subscriptions: Subscriptions,
): CheckedResponse {
  const { type } = consumer;
  const named = response.resources.map((resource) => withName(resource, type));
  const names = new Set<string>();
  const repeated = new Set<string>();
  for (const { name } of named) {
    if (names.has(name)) repeated.add(name);
    names.add(name);
  }
  for (const name of response.removed) if (names.has(name)) repeated.add(name);
  const hasNameless = names.delete('');
  const hasHeartbeat = named.some(({ message }) => message === undefined);
  const held = new Map(hasHeartbeat ? consumer.heldVersions() : []);

  const accepted: ReceivedResource[] = [];
  const absent: string[] = [];
  const refused: RefusedResource[] = [...repeated].filter((name) => name !== '').map(refuseRepeated);
  for (const [index, resource] of named.entries()) {
    const { name, aliases } = resource;
    const message = problemWith(resource, type, held);
    if (message !== undefined) refused.push({ name: name || `resources[${index}]`, problems: [{ path: '', message }] });
    else if (repeated.has(name) || !subscriptions.covers(name, aliases)) continue;
    else if (isVoid(resource, held)) absent.push(...[name, ...aliases].filter((one) => subscriptions.names.has(one)));
    else accepted.push(resource);
  }
  return { accepted, refused, absent, names, hasNameless };
}

/** Some servers leave the name of the wrapper out: it is that in the message, then. */
export function withName(resource: WireResource, type: ResourceType): WireResource {
  if (resource.name !== '' || resource.message === undefined || resource.payloadType !== type.typeUrl) return resource;
  return { ...resource, name: type.nameOf(resource.message) };
}

function problemWith(
  { name, version, message, payloadType }: WireResource,
  { typeUrl }: ResourceType,
  held: ReadonlyMap<string, string>,
): string | undefined {
  if (message !== undefined && payloadType !== typeUrl) {
    return `is a ${payloadType || 'message without a type'}, and was sent as a ${typeUrl}`;
  }
  if (name === '') return 'has no name';
  // Renewing another state than that of the control plane would keep the wrong one alive.
  if (message === undefined && held.has(name) && held.get(name) !== version) {
    return `is a heartbeat of version ${JSON.stringify(version)}, and ${JSON.stringify(held.get(name))} is held`;
  }
  return undefined;
}

/** How a virtual host that was asked for is said not to exist: its name without a message (Envoy's docs on VHDS). */
function isVoid({ name, message }: WireResource, held: ReadonlyMap<string, string>): boolean {
  return message === undefined && !held.has(name);
}

function refuseRepeated(name: string): RefusedResource {
  return { name, problems: [{ path: '', message: 'is in the response more than once' }] };
}
