// What a control plane sent, in the fields of Envoy's `/config_dump` sections: active, warming, draining and refused.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/config_dump_shared.proto
//
// A refused resource is shown with the reason even when nothing of that name ever was accepted; Envoy leaves such
// clusters out, and an operator then looks for what is not there.

import type { DynamicState, ResourceStatus } from '../../config/dynamic-state.ts';
import { redact } from './redaction.ts';

const typePrefix = 'type.googleapis.com/';

/** Full message names of the types that a dump shows. */
export const dumpedTypes = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  assignment: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  routes: 'envoy.config.route.v3.RouteConfiguration',
  virtualHost: 'envoy.config.route.v3.VirtualHost',
  secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  extension: 'envoy.config.core.v3.TypedExtensionConfig',
} as const;

/** Entries of one section by the name of their field; a field without entries is absent. */
export type DumpFields = Readonly<Record<string, readonly unknown[]>>;

export interface DynamicDump {
  /** Version of the last response of a type that is subscribed to as a whole; empty before the first. */
  version(typeName: string): string;
  clusters(): DumpFields;
  /** Of each assignment what is to be said beside its members: its version, and what was refused. */
  endpoints(): ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  listeners(): DumpFields;
  routes(): DumpFields;
  secrets(): DumpFields;
  extensions(): DumpFields;
}

/** `isWanted` decides by the name of a resource. */
export function dynamicDump(state: DynamicState, isWanted: (name: string) => boolean): DynamicDump {
  const wanted = (typeName: string): readonly ResourceStatus[] =>
    state.resources(typePrefix + typeName).filter(({ name, state: phase }) => phase !== 'absent' && isWanted(name));
  const entries = (typeName: string, field: string) => (status: ResourceStatus) => entryOf(status, typeName, field);
  const split = (typeName: string, field: string): Split => {
    const all = wanted(typeName);
    const make = entries(typeName, field);
    const isWarming = ({ state: phase }: ResourceStatus): boolean => phase === 'warming';
    return {
      active: all.filter((status) => !isWarming(status)).map(make),
      warming: all.filter(isWarming).map(make),
    };
  };
  return {
    version: (typeName) => versionOf(state, typePrefix + typeName),
    clusters: () => {
      const { active, warming } = split(dumpedTypes.cluster, 'cluster');
      return filled({ dynamic_active_clusters: active, dynamic_warming_clusters: warming });
    },
    endpoints: () => {
      const entry = (status: ResourceStatus): Readonly<Record<string, unknown>> => ({
        ...(status.state === 'refused' ? {} : changeOf(status)),
        ...errorOf(status, dumpedTypes.assignment),
      });
      return new Map(wanted(dumpedTypes.assignment).map((status) => [status.name, entry(status)]));
    },
    listeners: () => filled({ dynamic_listeners: wanted(dumpedTypes.listener).map(listenerEntry) }),
    routes: () => {
      const apart = hostsByRoutes(state.resources(typePrefix + dumpedTypes.virtualHost));
      const entry = (status: ResourceStatus): unknown => routesEntry(status, apart.get(status.name) ?? []);
      const all = wanted(dumpedTypes.routes);
      const isWarming = ({ state: phase }: ResourceStatus): boolean => phase === 'warming';
      const ordered = [...all.filter((status) => !isWarming(status)), ...all.filter(isWarming)];
      return filled({ dynamic_route_configs: ordered.map(entry) });
    },
    secrets: () => {
      const named = (status: ResourceStatus): unknown => ({
        name: status.name,
        ...entryOf(status, dumpedTypes.secret, 'secret'),
      });
      const all = wanted(dumpedTypes.secret);
      return filled({
        dynamic_active_secrets: all.filter(({ state: phase }) => phase !== 'warming').map(named),
        dynamic_warming_secrets: all.filter(({ state: phase }) => phase === 'warming').map(named),
      });
    },
    extensions: () => filled({ ecds_filters: split(dumpedTypes.extension, 'ecds_filter').active }),
  };
}

interface Split {
  readonly active: readonly unknown[];
  readonly warming: readonly unknown[];
}

function versionOf(state: DynamicState, typeUrl: string): string {
  for (const { types } of state.sources()) {
    for (const type of types) if (type.typeUrl === typeUrl && type.version !== '') return type.version;
  }
  return '';
}

function filled(fields: DumpFields): DumpFields {
  return Object.fromEntries(Object.entries(fields).filter(([, entries]) => entries.length > 0));
}

function entryOf(status: ResourceStatus, typeName: string, field: string): Readonly<Record<string, unknown>> {
  return { ...stateOf(status, typeName, field), ...errorOf(status, typeName) };
}

/** The accepted state; empty when nothing was ever accepted. */
function stateOf(status: ResourceStatus, typeName: string, field: string): Readonly<Record<string, unknown>> {
  if (status.state === 'refused') return {};
  const { version_info, last_updated } = changeOf(status);
  return { version_info, [field]: typed(typeName, status.document()), last_updated };
}

function changeOf({ version, lastUpdatedMs }: ResourceStatus) {
  return { version_info: version, last_updated: new Date(lastUpdatedMs).toISOString() };
}

function errorOf({ refused }: ResourceStatus, typeName: string): Readonly<Record<string, unknown>> {
  if (refused === undefined) return {};
  return {
    error_state: {
      failed_configuration: typed(typeName, refused.document()),
      last_update_attempt: new Date(refused.atMs).toISOString(),
      details: refused.problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('\n'),
      version_info: refused.version,
    },
    client_status: 'NACKED',
  };
}

/** Virtual hosts that arrived apart (VHDS), by the name of their route configuration, which theirs begins with. */
function hostsByRoutes(hosts: readonly ResourceStatus[]): ReadonlyMap<string, readonly ResourceStatus[]> {
  const found = new Map<string, ResourceStatus[]>();
  for (const host of hosts) {
    const routes = host.name.slice(0, Math.max(0, host.name.lastIndexOf('/')));
    const own = found.get(routes);
    if (own === undefined) found.set(routes, [host]);
    else own.push(host);
  }
  return found;
}

/** As in Envoy they stand among those that are written in it, by their names, and it has the version of what came last. */
function routesEntry(status: ResourceStatus, apart: readonly ResourceStatus[]): unknown {
  const own = status.document() as RoutesDocument | undefined;
  if (own?.vhds === undefined || apart.length === 0) return entryOf(status, dumpedTypes.routes, 'route_config');
  const held = apart.filter(({ state }) => state === 'active').sort((a, b) => (a.name < b.name ? -1 : 1));
  const newest = [status, ...held].reduce((a, b) => (b.lastUpdatedMs > a.lastUpdatedMs ? b : a));
  const whole: ResourceStatus = {
    ...status,
    version: newest.version,
    lastUpdatedMs: newest.lastUpdatedMs,
    document: () => ({ ...own, virtual_hosts: [...(own.virtual_hosts ?? []), ...held.map((each) => each.document())] }),
  };
  const entry = entryOf(whole, dumpedTypes.routes, 'route_config');
  const refused = apart.find((each) => each.refused !== undefined);
  return status.refused !== undefined || refused === undefined
    ? entry
    : { ...entry, ...errorOf(refused, dumpedTypes.virtualHost) };
}

interface RoutesDocument {
  readonly vhds?: unknown;
  readonly virtual_hosts?: readonly unknown[];
}

/** A listener has a state for each of its lives, where the other types have a list for each. */
function listenerEntry(status: ResourceStatus): unknown {
  const phase = { active: 'active_state', warming: 'warming_state', draining: 'draining_state' } as const;
  const held = stateOf(status, dumpedTypes.listener, 'listener');
  const state = status.state === 'refused' || status.state === 'absent' ? {} : { [phase[status.state]]: held };
  return { name: status.name, ...state, ...errorOf(status, dumpedTypes.listener) };
}

/** Bytes that are no message of the type are a text, and may hold a secret. */
function typed(typeName: string, document: unknown): unknown {
  const content = typeof document === 'string' ? { value: document } : (document as object | undefined);
  return redact({ '@type': typePrefix + typeName, ...content });
}
