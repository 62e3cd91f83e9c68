// The bootstrap message to the domain type (`config.bootstrap.v3.Bootstrap`).

import { formatAddress } from '../../config/address.ts';
import type { Bootstrap, Node } from '../../config/bootstrap.ts';
import type { Listener } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';
import { secretsOfCluster, secretsOfListener } from '../../config/secret-references.ts';
import type { Bootstrap as Message } from '../generated/messages.ts';
import { checkClusterReferences } from './cluster-references.ts';
import { checkCollectorReferences } from './collector-references.ts';
import { withTraceProvider } from './default-trace-provider.ts';
import { decodeDynamicResources } from './dynamic-resources.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';
import { decodeListener } from './listener.ts';
import { checkEngine } from './listener-engine.ts';
import { decodeAdmin, decodeConnectionLimit, decodeNode, decodeStats, type NodeOverrides } from './process.ts';
import { decodeRuntime, type RuntimeValues } from './runtime.ts';
import { checkSecretSources, type KnownSecrets } from './secret-source.ts';
import { checkSourceReferences } from './source-references.ts';
import { decodeStaticClusters } from './static-clusters.ts';
import { decodeStaticSecrets } from './static-secrets.ts';
import { decodeStatsSinks } from './stats-sink.ts';
import { decodeTraceProvider } from './trace-provider.ts';
import { UniqueNames } from './unique-names.ts';

/** What is wrong is recorded; the result is of use only when nothing was. */
export function decodeBootstrap(message: Message, overrides: NodeOverrides, problems: Problems): Bootstrap {
  const { clusters, grpcClusters, defaultBindAddress } = decodeStaticClusters(message, problems);
  const known = { hasAds: message.dynamicResources?.adsConfig !== undefined, grpcClusters };
  const dynamicResources = decodeDynamicResources(message.dynamicResources, known, problems.at('dynamic_resources'));
  const runtime = decodeRuntime(message.layeredRuntime, known, problems.at('layered_runtime'));
  const statics = problems.at('static_resources');
  const { offersUws = false } = overrides;
  const listeners = decodeListeners(message, { runtime: runtime.values, offersUws }, statics.at('listeners'));
  checkClusterReferences(message.staticResources ?? {}, grpcClusters, statics);
  checkCollectorReferences(message, grpcClusters, problems);
  checkSourceReferences(message.staticResources ?? {}, known, statics);
  const secrets = decodeStaticSecrets(message.staticResources?.secrets, statics.at('secrets'));
  checkSecrets({ clusters, listeners }, { ...known, secrets }, statics);
  checkBootstrapExtensions(message, problems.at('bootstrap_extensions'));
  const limit = decodeConnectionLimit(message.overloadManager, runtime.values, problems.at('overload_manager'));
  const provider = message.tracing?.http;
  const traceProvider = provider && decodeTraceProvider(provider, problems.at('tracing').at('http'));
  const node = decodeNode(message.node, overrides);
  if (Object.keys(dynamicResources).length > 0) requireIdentity(node, problems.at('node'));
  return {
    node,
    ...given('admin', decodeAdmin(message.admin, problems.at('admin'))),
    listeners: listeners.map((listener) => withTraceProvider(listener, traceProvider)),
    clusters,
    grpcClusters,
    secrets,
    dynamicResources,
    ...given('defaultBindAddress', defaultBindAddress),
    runtime: runtime.values,
    runtimeLayers: runtime.layers,
    stats: { ...decodeStats(message.statsConfig, problems.at('stats_config')), ...decodeStatsSinks(message, problems) },
    ...given('traceProvider', traceProvider),
    ...(offersUws && { offersUws }),
    ...given('maxDownstreamConnections', limit),
  };
}

function checkSecrets(
  { clusters, listeners }: Pick<Bootstrap, 'clusters' | 'listeners'>,
  known: KnownSecrets,
  problems: Problems,
): void {
  for (const cluster of clusters) {
    checkSecretSources(secretsOfCluster(cluster), known, problems.at('clusters').item(cluster.name));
  }
  for (const listener of listeners) {
    checkSecretSources(secretsOfListener(listener), known, problems.at('listeners').item(listener.name));
  }
}

/** As in Envoy: a control plane knows who asks by these. */
function requireIdentity({ id, cluster }: Node, problems: Problems): void {
  if (id === '') problems.at('id').add('id is required by a control plane; it may be given as --service-node');
  if (cluster === '') problems.at('cluster').add('cluster is required by a control plane, or --service-cluster');
}

const internalListener = 'envoy.extensions.bootstrap.internal_listener.v3.InternalListener';
const bootstrapExtension = { what: 'bootstrap extension', known: [internalListener] } as const;

/** The one that Istio's bootstrap has only allows internal listeners, which are refused where one is written. */
function checkBootstrapExtensions({ bootstrapExtensions = [] }: Message, problems: Problems): void {
  for (const [index, extension] of bootstrapExtensions.entries()) {
    extensionType(extension, bootstrapExtension, problems.item(index));
  }
}

function decodeListeners(
  message: Message,
  { runtime, offersUws }: { readonly runtime: RuntimeValues; readonly offersUws: boolean },
  problems: Problems,
): readonly Listener[] {
  const listeners: Listener[] = [];
  const names = new UniqueNames('listener');
  const addresses = new Map<string, number>();
  for (const [index, listener] of (message.staticResources?.listeners ?? []).entries()) {
    const place = problems.item(index);
    const decoded = decodeListener(listener, runtime, place);
    checkEngine(decoded, offersUws, place);
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
