// The bootstrap message to the domain type (`config.bootstrap.v3.Bootstrap`).

import { type Address, formatAddress } from '../config/address.ts';
import type { Bootstrap } from '../config/bootstrap.ts';
import type { Cluster } from '../config/cluster.ts';
import type { Listener } from '../config/listener.ts';
import type { Problems } from '../config/problems.ts';
import { checkClusterReferences } from './cluster-references.ts';
import { decodeBindConfig, decodeCluster } from './decode-cluster.ts';
import { decodeListener } from './decode-listener.ts';
import { decodeAdmin, decodeConnectionLimit, decodeNode, decodeStats, type NodeOverrides } from './decode-process.ts';
import { decodeRuntime, type RuntimeValues } from './decode-runtime.ts';
import type { Bootstrap as Message } from './generated/messages.ts';
import { given } from './given.ts';

/** What is wrong is recorded; the result is of use only when nothing was. */
export function decodeBootstrap(message: Message, overrides: NodeOverrides, problems: Problems): Bootstrap {
  const runtime = decodeRuntime(message.layeredRuntime, problems.at('layered_runtime'));
  const bindConfig = message.clusterManager?.upstreamBindConfig;
  const bind = decodeBindConfig(bindConfig, problems.at('cluster_manager').at('upstream_bind_config'));
  const statics = problems.at('static_resources');
  const clusters = decodeClusters(message, bind, statics.at('clusters'));
  const listeners = decodeListeners(message, runtime.values, statics.at('listeners'));
  checkClusterReferences(message.staticResources ?? {}, statics);
  const limit = decodeConnectionLimit(message.overloadManager, runtime.values, problems.at('overload_manager'));
  return {
    node: decodeNode(message.node, overrides),
    ...given('admin', decodeAdmin(message.admin, problems.at('admin'))),
    listeners,
    clusters,
    grpcClusters: new Map(),
    dynamicResources: {},
    runtime: runtime.values,
    runtimeLayers: runtime.layers,
    stats: decodeStats(message.statsConfig, problems.at('stats_config')),
    ...given('maxDownstreamConnections', limit),
  };
}

function decodeClusters(message: Message, bind: Address | undefined, problems: Problems): readonly Cluster[] {
  const clusters: Cluster[] = [];
  const names = new UniqueNames('cluster');
  for (const [index, cluster] of (message.staticResources?.clusters ?? []).entries()) {
    const place = problems.item(index);
    names.add(cluster.name, place);
    const decoded = decodeCluster(cluster, bind, place);
    if (decoded !== undefined) clusters.push(decoded);
  }
  return clusters;
}

function decodeListeners(message: Message, runtime: RuntimeValues, problems: Problems): readonly Listener[] {
  const listeners: Listener[] = [];
  const names = new UniqueNames('listener');
  const addresses = new Map<string, number>();
  for (const [index, listener] of (message.staticResources?.listeners ?? []).entries()) {
    const place = problems.item(index);
    const decoded = decodeListener(listener, runtime, place);
    names.add(decoded?.name ?? listener.name, place);
    if (decoded === undefined) continue;
    checkUniqueAddresses(decoded, { index, addresses }, place);
    listeners.push(decoded);
  }
  return listeners;
}

/** Port 0 is a new port each time. Listeners without a socket of their own are looked up by address too. */
function checkUniqueAddresses(
  { address, additionalAddresses }: Listener,
  known: { readonly index: number; readonly addresses: Map<string, number> },
  problems: Problems,
): void {
  for (const [index, each] of [address, ...additionalAddresses].entries()) {
    if (each.kind === 'ip' && each.port === 0) continue;
    const text = formatAddress(each);
    const first = known.addresses.get(text);
    const place =
      index === 0
        ? problems.at('address')
        : problems
            .at('additional_addresses')
            .item(index - 1)
            .at('address');
    if (first === undefined) known.addresses.set(text, known.index);
    else if (first !== known.index) place.add(`${text} is the address of listeners[${first}] already`);
  }
}

class UniqueNames {
  readonly #what: string;
  readonly #seen = new Map<string, string>();

  constructor(what: string) {
    this.#what = what;
  }

  add(name: string | undefined, problems: Problems): void {
    if (name === undefined) return;
    const first = this.#seen.get(name);
    if (first === undefined) this.#seen.set(name, problems.path);
    else problems.at('name').add(`${this.#what} ${JSON.stringify(name)} exists already: ${first}`);
  }
}
