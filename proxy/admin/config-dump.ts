// `/config_dump`: the bootstrap as it was read and its static resources, in Envoy's sections.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--config_dump

import type { ServerState } from '../command/server-state.ts';
import { Regex } from '../route/regex.ts';
import { type AdminAnswer, type AdminRequest, failure, json } from './admin-answer.ts';
import { endpointConfigs } from './endpoint-configs.ts';
import { applyMask, field, parseMask } from './field-mask.ts';
import { redact } from './redaction.ts';
import type { AdminContext } from './server.ts';

export function configDump({ state }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const resource = query.get('resource');
  const pattern = query.get('name_regex');
  let isWanted: ((name: string) => boolean) | null = null;
  if (pattern !== null) {
    try {
      const regex = new Regex(pattern);
      isWanted = (name) => regex.matches(name);
    } catch (error) {
      return failure(400, `Error while parsing name_regex from ${pattern}: ${(error as Error).message}\n`);
    }
  }
  const sections = sectionsOf(state, { hasEndpoints: query.has('include_eds'), isWanted });
  const mask = query.get('mask');
  return resource === null ? wholeDump(sections, mask) : resourceDump(sections, resource, mask);
}

interface Selection {
  readonly hasEndpoints: boolean;
  readonly isWanted: ((name: string) => boolean) | null;
}

type Section = Readonly<Record<string, unknown>>;

function wholeDump(sections: readonly Section[], mask: string | null): AdminAnswer {
  if (mask === null) return json({ configs: sections });
  const masked = sections.map((section) => applyMask(section, parseMask(mask))).filter((each) => each !== undefined);
  if (masked.length === 0) return failure(400, `FieldMask ${mask} could not be successfully applied to any configs.\n`);
  return json({ configs: masked });
}

// One kind of resource, each with the type of its entry.
function resourceDump(sections: readonly Section[], resource: string, mask: string | null): AdminAnswer {
  const type = entryTypes.get(resource);
  if (type === undefined) {
    if (resource !== 'bootstrap') return failure(404, `${resource} not found in config dump\n`);
    return failure(400, 'bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field\n');
  }
  const entries = sections
    .flatMap((section) => (section[resource] ?? []) as readonly Section[])
    .map((entry): unknown => ({ '@type': `${adminType}.${type}`, ...entry }));
  if (mask === null || entries.length === 0) return json(entries.length === 0 ? {} : { configs: entries });
  const masked = entries.map((entry) => applyMask(entry, parseMask(mask))).filter((each) => each !== undefined);
  if (masked.length === 0) return failure(400, `FieldMask ${mask} could not be successfully used.\n`);
  return json({ configs: masked });
}

const adminType = 'type.googleapis.com/envoy.admin.v3';

/** Each repeated field of the sections, and the type of its entries. */
const entryTypes: ReadonlyMap<string, string> = new Map([
  ['static_clusters', 'ClustersConfigDump.StaticCluster'],
  ['dynamic_active_clusters', 'ClustersConfigDump.DynamicCluster'],
  ['dynamic_warming_clusters', 'ClustersConfigDump.DynamicCluster'],
  ['static_endpoint_configs', 'EndpointsConfigDump.StaticEndpointConfig'],
  ['dynamic_endpoint_configs', 'EndpointsConfigDump.DynamicEndpointConfig'],
  ['static_listeners', 'ListenersConfigDump.StaticListener'],
  ['dynamic_listeners', 'ListenersConfigDump.DynamicListener'],
  ['static_route_configs', 'RoutesConfigDump.StaticRouteConfig'],
  ['dynamic_route_configs', 'RoutesConfigDump.DynamicRouteConfig'],
  ['inline_scoped_route_configs', 'ScopedRoutesConfigDump.InlineScopedRouteConfigs'],
  ['dynamic_scoped_route_configs', 'ScopedRoutesConfigDump.DynamicScopedRouteConfigs'],
  ['static_secrets', 'SecretsConfigDump.StaticSecret'],
  ['dynamic_active_secrets', 'SecretsConfigDump.DynamicSecret'],
  ['dynamic_warming_secrets', 'SecretsConfigDump.DynamicSecret'],
]);

function sectionsOf(state: ServerState, { hasEndpoints, isWanted }: Selection): readonly Section[] {
  const bootstrap = redact(state.document ?? {});
  const last_updated = new Date(state.startedAtMs).toISOString();
  const resources = field(bootstrap, 'static_resources');
  const listeners = listOf(resources, 'listeners');
  const named = (entries: readonly unknown[], nameField = 'name'): readonly unknown[] =>
    isWanted === null ? entries : entries.filter((entry) => isWanted(String(field(entry, nameField) ?? '')));
  const typed = (type: string, entry: unknown): unknown => ({
    '@type': `type.googleapis.com/envoy.config.${type}`,
    ...(entry as Section),
  });
  const endpoints = hasEndpoints ? named(endpointConfigs(state), 'cluster_name') : [];
  return [
    { '@type': `${adminType}.BootstrapConfigDump`, bootstrap, last_updated },
    section('ClustersConfigDump', 'static_clusters', named(listOf(resources, 'clusters')), (cluster) => ({
      cluster: typed('cluster.v3.Cluster', cluster),
      last_updated,
    })),
    ...(hasEndpoints
      ? [
          section('EndpointsConfigDump', 'static_endpoint_configs', endpoints, (assignment) => ({
            endpoint_config: typed('endpoint.v3.ClusterLoadAssignment', assignment),
          })),
        ]
      : []),
    section('ListenersConfigDump', 'static_listeners', named(listeners), (listener) => ({
      listener: typed('listener.v3.Listener', listener),
      last_updated,
    })),
    { '@type': `${adminType}.ScopedRoutesConfigDump` },
    section('RoutesConfigDump', 'static_route_configs', named(inlineRoutes(listeners)), (routes) => ({
      route_config: typed('route.v3.RouteConfiguration', routes),
      last_updated,
    })),
    { '@type': `${adminType}.SecretsConfigDump` },
  ];
}

function section(type: string, name: string, entries: readonly unknown[], wrap: (entry: unknown) => unknown): Section {
  const head = { '@type': `${adminType}.${type}` };
  return entries.length === 0 ? head : { ...head, [name]: entries.map(wrap) };
}

/** The `route_config` of every connection manager. */
function inlineRoutes(listeners: readonly unknown[]): readonly unknown[] {
  const chains = listeners.flatMap((listener) => [
    ...listOf(listener, 'filter_chains'),
    ...[field(listener, 'default_filter_chain')].filter((chain) => chain !== undefined),
  ]);
  return chains
    .flatMap((chain) => listOf(chain, 'filters'))
    .map((filter) => field(field(filter, 'typed_config'), 'route_config'))
    .filter((routes) => routes !== undefined);
}

function listOf(object: unknown, name: string): readonly unknown[] {
  const list = field(object, name);
  return Array.isArray(list) ? list : [];
}
