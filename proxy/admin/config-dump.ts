// `/config_dump`: the bootstrap as it was read, its static resources and what control planes sent, in Envoy's sections.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--config_dump

import type { DynamicState } from '../../config/dynamic-state.ts';
import type { ServerState } from '../command/server-state.ts';
import { Regex } from '../route/regex.ts';
import { type AdminAnswer, type AdminRequest, failure, json } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';
import { type DynamicDump, dumpedTypes, dynamicDump } from './dynamic-dump.ts';
import { endpointConfigs } from './endpoint-configs.ts';
import { applyMask, field, parseMask } from './field-mask.ts';
import { redact } from './redaction.ts';
import { nodeJson } from './server-info.ts';

export function configDump({ state, dynamic }: AdminContext, { query }: AdminRequest): AdminAnswer {
  // Without a value each is as if it were not there.
  const given = (name: string): string | null => query.get(name) || null;
  const resource = given('resource');
  const pattern = given('name_regex');
  let isWanted: ((name: string) => boolean) | null = null;
  if (pattern !== null) {
    try {
      const regex = new Regex(pattern);
      isWanted = (name) => regex.matches(name);
    } catch (error) {
      return failure(400, `Error while parsing name_regex from ${pattern}: ${(error as Error).message}\n`);
    }
  }
  const sections = sectionsOf(state, dynamic, { hasEndpoints: query.has('include_eds'), isWanted });
  const mask = given('mask');
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
  if (singleFields.has(resource)) {
    return failure(400, `${resource} is not a repeated field. Use ?mask=${resource} to get only this field\n`);
  }
  const [sectionType, entryType] = entryTypes.get(resource) ?? [];
  if (!sections.some((each) => each['@type'] === `${adminType}.${sectionType}`)) {
    return failure(404, `${resource} not found in config dump\n`);
  }
  const entries = sections
    .flatMap((section) => (section[resource] ?? []) as readonly Section[])
    .map((entry): unknown => ({ '@type': `${adminType}.${sectionType}.${entryType}`, ...entry }));
  if (mask === null || entries.length === 0) return json(entries.length === 0 ? {} : { configs: entries });
  const masked = entries.map((entry) => applyMask(entry, parseMask(mask))).filter((each) => each !== undefined);
  if (masked.length === 0) return failure(400, `FieldMask ${mask} could not be successfully used.\n`);
  return json({ configs: masked });
}

const adminType = 'type.googleapis.com/envoy.admin.v3';

/** Each repeated field, its section, and the type of its entries in that. */
const entryTypes: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['static_clusters', ['ClustersConfigDump', 'StaticCluster']],
  ['dynamic_active_clusters', ['ClustersConfigDump', 'DynamicCluster']],
  ['dynamic_warming_clusters', ['ClustersConfigDump', 'DynamicCluster']],
  ['static_endpoint_configs', ['EndpointsConfigDump', 'StaticEndpointConfig']],
  ['dynamic_endpoint_configs', ['EndpointsConfigDump', 'DynamicEndpointConfig']],
  ['static_listeners', ['ListenersConfigDump', 'StaticListener']],
  ['dynamic_listeners', ['ListenersConfigDump', 'DynamicListener']],
  ['static_route_configs', ['RoutesConfigDump', 'StaticRouteConfig']],
  ['dynamic_route_configs', ['RoutesConfigDump', 'DynamicRouteConfig']],
  ['inline_scoped_route_configs', ['ScopedRoutesConfigDump', 'InlineScopedRouteConfigs']],
  ['dynamic_scoped_route_configs', ['ScopedRoutesConfigDump', 'DynamicScopedRouteConfigs']],
  ['static_secrets', ['SecretsConfigDump', 'StaticSecret']],
  ['dynamic_active_secrets', ['SecretsConfigDump', 'DynamicSecret']],
  ['dynamic_warming_secrets', ['SecretsConfigDump', 'DynamicSecret']],
  ['ecds_filters', ['EcdsConfigDump', 'EcdsFilterConfig']],
]);

const singleFields: ReadonlySet<string> = new Set(['bootstrap', 'version_info', 'last_updated']);

function sectionsOf(state: ServerState, sent: DynamicState, { hasEndpoints, isWanted }: Selection): readonly Section[] {
  const bootstrap = redact(state.document ?? {});
  const last_updated = new Date(state.startedAtMs).toISOString();
  const resources = field(bootstrap, 'static_resources');
  const listeners = listOf(resources, 'listeners');
  const dynamic = dynamicDump(sent, isWanted ?? (() => true));
  const written = (entries: readonly unknown[], typeName: string, entryField: string): readonly unknown[] =>
    named(entries, isWanted).map((entry) => ({
      [entryField]: { '@type': `type.googleapis.com/${typeName}`, ...(entry as Section) },
      last_updated,
    }));
  return [
    { '@type': `${adminType}.BootstrapConfigDump`, bootstrap: withUserAgent(bootstrap, state), last_updated },
    section('ClustersConfigDump', {
      ...versionInfo(dynamic, dumpedTypes.cluster),
      static_clusters: written(listOf(resources, 'clusters'), dumpedTypes.cluster, 'cluster'),
      ...dynamic.clusters(),
    }),
    ...(hasEndpoints ? [endpointSection(state, dynamic, isWanted)] : []),
    ...optionalSection('EcdsConfigDump', dynamic.extensions()),
    section('ListenersConfigDump', {
      ...versionInfo(dynamic, dumpedTypes.listener),
      static_listeners: written(listeners, dumpedTypes.listener, 'listener'),
      ...dynamic.listeners(),
    }),
    section('ScopedRoutesConfigDump', {}),
    section('RoutesConfigDump', {
      static_route_configs: written(inlineRoutes(listeners), dumpedTypes.routes, 'route_config'),
      ...dynamic.routes(),
    }),
    section('SecretsConfigDump', {
      static_secrets: staticSecrets(listOf(resources, 'secrets'), isWanted),
      ...dynamic.secrets(),
    }),
  ];
}

/** Who we are is not the operator's to say: control planes are told the same. */
function withUserAgent(document: unknown, { bootstrap, options }: ServerState): Section {
  if (bootstrap === null) return document as Section;
  const { user_agent_name, user_agent_build_version, extensions } = nodeJson(bootstrap.node, options.version);
  const node = { ...(field(document, 'node') as Section), user_agent_name, user_agent_build_version, extensions };
  return { ...(document as Section), node };
}

/** They have their name beside them as well, and no time, as in Envoy. */
function staticSecrets(secrets: readonly unknown[], isWanted: Selection['isWanted']): readonly unknown[] {
  return named(secrets, isWanted).map((secret) => ({
    name: field(secret, 'name'),
    secret: { '@type': `type.googleapis.com/${dumpedTypes.secret}`, ...(secret as Section) },
  }));
}

/** As they are now. What a control plane sent has its version beside it, and is there also when it was refused. */
function endpointSection(state: ServerState, dynamic: DynamicDump, isWanted: Selection['isWanted']): Section {
  const written = new Set(
    listOf(field(state.document, 'static_resources'), 'clusters').map((each) => field(each, 'name')),
  );
  const sent = dynamic.endpoints();
  const shown = new Set<string>();
  const lists: Record<'static' | 'dynamic', unknown[]> = { static: [], dynamic: [] };
  for (const { name, service, assignment } of endpointConfigs(state)) {
    const { cluster_name } = assignment;
    if (isWanted !== null && !isWanted(cluster_name)) continue;
    const endpoint_config = { '@type': `type.googleapis.com/${dumpedTypes.assignment}`, ...assignment };
    // A static entry has no field for what a control plane said, in Envoy's proto.
    if (written.has(name)) lists.static.push({ endpoint_config });
    else if (service === undefined) lists.dynamic.push({ endpoint_config });
    else {
      shown.add(service);
      lists.dynamic.push({ endpoint_config, ...sent.get(service) });
    }
  }
  const refused = [...sent].filter(([name, entry]) => !shown.has(name) && 'error_state' in entry);
  return section('EndpointsConfigDump', {
    static_endpoint_configs: lists.static,
    dynamic_endpoint_configs: [...lists.dynamic, ...refused.map(([, entry]) => entry)],
  });
}

function named(entries: readonly unknown[], isWanted: Selection['isWanted']): readonly unknown[] {
  return isWanted === null ? entries : entries.filter((entry) => isWanted(String(field(entry, 'name') ?? '')));
}

function versionInfo(dynamic: DynamicDump, typeName: string): Section {
  const version = dynamic.version(typeName);
  return version === '' ? {} : { version_info: version };
}

/** Lists without entries are left out, as proto3 JSON does. */
function section(type: string, fields: Section): Section {
  const filled = Object.entries(fields).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return { '@type': `${adminType}.${type}`, ...Object.fromEntries(filled) };
}

function optionalSection(type: string, fields: Section): readonly Section[] {
  return Object.keys(fields).length === 0 ? [] : [section(type, fields)];
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
