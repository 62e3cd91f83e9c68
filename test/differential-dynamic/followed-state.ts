// What an operator sees of a proxy that follows a control plane: its admin pages, as values by name.

import type { ProxyProcess } from '../differential/proxy-process.ts';

export type Facts = ReadonlyMap<string, string>;

/** `address` is the one on which the proxy serves; what must differ is replaced. */
export async function readState(proxy: ProxyProcess, address: string): Promise<Facts> {
  const facts = new Map<string, string>();
  const get = async (path: string): Promise<string> =>
    (await proxy.admin('GET', path)).replaceAll(address, '<own address>');
  facts.set('ready', (await get('/ready')).trim());
  for (const line of (await get('/listeners')).split('\n').filter((line) => line !== ''))
    facts.set(`listeners.${line}`, 'shown');
  addClusters(facts, await get('/clusters'));
  addDump(facts, JSON.parse(await get('/config_dump?include_eds')));
  addStats(facts, await get('/stats'));
  return facts;
}

const clusterLine = /^(.+?)::(.*)::(.*)$/;
const comparedOfCluster =
  /^(added_via_api|eds_service_name|observability_name)$|::(health_flags|weight|priority|region|zone|sub_zone|hostname)$/;

function addClusters(facts: Map<string, string>, page: string): void {
  for (const line of page.split('\n')) {
    const [, cluster, field, value] = clusterLine.exec(line) ?? [];
    if (cluster !== undefined && comparedOfCluster.test(field!)) facts.set(`clusters.${cluster}.${field}`, value!);
  }
}

type Entry = { readonly [field: string]: unknown };

/** Where each resource is, with its version. */
function addDump(facts: Map<string, string>, dump: { configs: readonly Entry[] }): void {
  for (const section of dump.configs) {
    for (const [list, entries] of Object.entries(section)) {
      if (/^dynamic_/.test(list) && Array.isArray(entries)) for (const entry of entries) addEntry(facts, list, entry);
    }
  }
}

function addEntry(facts: Map<string, string>, list: string, entry: Entry): void {
  const name = nameOf(entry);
  facts.set(`dump.${list}.${name}`, 'there');
  for (const [field, value] of Object.entries(entry)) {
    if (/^(active|warming|draining)_state$/.test(field))
      facts.set(`dump.${list}.${name}.${field}`, String((value as Entry)['version_info']));
    if (field === 'version_info' || field === 'client_status')
      facts.set(`dump.${list}.${name}.${field}`, String(value));
    if (field === 'error_state')
      facts.set(`dump.${list}.${name}.error_state`, (value as Entry)['details'] === '' ? 'empty' : 'explained');
  }
}

function nameOf(entry: Entry): string {
  const failed = (entry['error_state'] as Entry | undefined)?.['failed_configuration'];
  const state = (entry['cluster'] ??
    entry['route_config'] ??
    entry['endpoint_config'] ??
    (entry['name'] === undefined ? failed : entry) ??
    {}) as Entry;
  return String(state['cluster_name'] ?? state['name'] ?? '(nameless)');
}

const subscription = '(update_(success|rejected|failure)|init_fetch_timeout|version_text)';
const comparedStats = new RegExp(
  [
    `^cluster_manager\\.(cds\\.${subscription}|cluster_(added|modified|removed|updated)|(active|warming)_clusters)$`,
    `^listener_manager\\.(lds\\.${subscription}|listener_(added|modified|removed|stopped|create_[a-z]+)|total_listeners_[a-z]+)$`,
    `^http\\.in\\.rds\\.[^.]+\\.${subscription}$`,
    `^cluster\\.[^.]+\\.(${subscription}|membership_(healthy|total|degraded|excluded|change))$`,
    '^control_plane\\.connected_state$',
    '^runtime\\.num_(keys|layers)$',
    '^server\\.(state|live)$',
  ].join('|'),
);

function addStats(facts: Map<string, string>, page: string): void {
  for (const [, name, value] of page.matchAll(/^(\S+): (\d+|".*")$/gm)) {
    if (!comparedStats.test(name!)) continue;
    // How often a proxy tries again in a given time is chance.
    const isChance = name!.endsWith('.update_failure') && value !== '0';
    facts.set(`stat.${name}`, isChance ? 'some' : value!);
  }
}
