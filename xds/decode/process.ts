// What a bootstrap says about the process as a whole: node, admin interface, stats and connection limit.

import type { LineLog } from '../../config/access-log.ts';
import type { Admin, Node, StatsMatcher, StatsOptions } from '../../config/bootstrap.ts';
import { defaultTextFormat } from '../../config/format-commands.ts';
import type { StringMatcher } from '../../config/matcher.ts';
import type { Problems } from '../../config/problems.ts';
import packageFile from '../../package.json' with { type: 'json' };
import type {
  Admin as AdminMessage,
  DownstreamConnectionsConfig,
  HistogramBucketSettings,
  Node as NodeMessage,
  OverloadManager,
  StatsConfig,
  StatsMatcher as StatsMatcherMessage,
} from '../generated/messages.ts';
import { supportTable } from '../support/all-support.ts';
import { decodeAccessLog, fileSink } from './access-log.ts';
import { decodeAddress } from './address.ts';
import { decodeLocality } from './endpoint.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';
import { decodeStringMatcher } from './matcher.ts';
import { type RuntimeValues, runtimeNumber } from './runtime.ts';
import { decodeStatsTags } from './stats-tags.ts';

/** Command-line flags that win over the node of the file, or add to it. */
export interface NodeOverrides {
  /** False when left out. */
  readonly offersUws?: boolean;
  readonly nodeId?: string;
  readonly nodeCluster?: string;
  readonly zone?: string;
}

export function decodeNode(message: NodeMessage | undefined, overrides: NodeOverrides): Node {
  const written = withOverrides(message ?? {}, overrides);
  return {
    id: written.id ?? '',
    cluster: written.cluster ?? '',
    locality: decodeLocality(written.locality),
    metadata: written.metadata ?? {},
    wire: withUserAgent(written),
  };
}

function withOverrides(message: NodeMessage, { nodeId, nodeCluster, zone }: NodeOverrides): NodeMessage {
  return {
    ...message,
    ...given('id', nodeId),
    ...given('cluster', nodeCluster),
    ...given('locality', zone === undefined ? undefined : { ...message.locality, zone }),
  };
}

/** `xds_features.rst` of Envoy: what a control plane may do because the client says that it understands it. */
const clientFeatures = ['xds.config.supports-resource-ttl', 'xds.config.resource-in-sotw'];

/** Who we are is not the operator's to say, as in Envoy. The message has the same form in memory and as JSON. */
function withUserAgent(node: NodeMessage): Node['wire'] {
  const { userAgentVersion: _replaced, ...rest } = node;
  const [majorNumber = 0, minorNumber = 0, patch = 0] = packageFile.version.split('.').map(Number);
  return {
    ...rest,
    userAgentName: packageFile.name,
    userAgentBuildVersion: { version: { majorNumber, minorNumber, patch } },
    extensions: [...(node.extensions ?? []), ...filterExtensions()],
    clientFeatures: [...new Set([...(node.clientFeatures ?? []), ...clientFeatures])],
  };
}

/** A filter's package is its name and category: `envoy.extensions.filters.http.router.v3` is `envoy.filters.http.router`. */
const filterPackage = /^envoy\.extensions\.(filters\.(?:network|http|listener))\.(\w+)\.v3\./;

function filterExtensions(): readonly { name: string; category: string }[] {
  const categories = new Map<string, string>();
  for (const type of Object.keys(supportTable)) {
    const [, category, filter] = filterPackage.exec(type) ?? [];
    if (category !== undefined) categories.set(`envoy.${category}.${filter}`, `envoy.${category}`);
  }
  return [...categories].map(([name, category]) => ({ name, category }));
}

/** Undefined without an address: there is no admin interface then. */
export function decodeAdmin(message: AdminMessage | undefined, problems: Problems): Admin | undefined {
  const accessLogs = decodeAdminLogs(message ?? {}, problems);
  if (message?.address === undefined) return undefined;
  const address = decodeAddress(message.address, problems.at('address'));
  const allowedPaths: StringMatcher[] = [];
  for (const [index, path] of (message.allowPaths ?? []).entries()) {
    const matcher = decodeStringMatcher(path, problems.at('allow_paths').item(index));
    if (matcher !== undefined) allowedPaths.push(matcher);
  }
  return (
    address && {
      address,
      ...(allowedPaths.length > 0 && { allowedPaths }),
      ...(accessLogs.length > 0 && { accessLogs }),
    }
  );
}

/** Many files have a log that goes nowhere, because Envoy once required one: it is left out. */
function decodeAdminLogs({ accessLog = [], accessLogPath }: AdminMessage, problems: Problems): readonly LineLog[] {
  const logs: LineLog[] = [];
  for (const [index, message] of accessLog.entries()) {
    const place = problems.at('access_log').item(index);
    const log = decodeAccessLog(message, place);
    if (log === undefined) continue;
    if ('sink' in log) logs.push(log);
    else place.unsupported('an access log service of the admin interface', 'write a file or stream');
  }
  if (accessLogPath !== undefined && accessLogPath !== '') {
    const format = { kind: 'text', format: defaultTextFormat, omitEmptyValues: false } as const;
    logs.push({ sink: fileSink(accessLogPath), format });
  }
  return logs.filter(({ sink }) => sink.kind !== 'file' || sink.path !== '/dev/null');
}

/** What is kept; sinks have a file of their own. */
export function decodeStats(
  message: StatsConfig | undefined,
  problems: Problems,
): Pick<StatsOptions, 'histogramBuckets' | 'matcher' | 'tags'> {
  const histogramBuckets: { prefix: string; bounds: readonly number[] }[] = [];
  for (const [index, settings] of (message?.histogramBucketSettings ?? []).entries()) {
    const buckets = decodeBuckets(settings, problems.at('histogram_bucket_settings').item(index));
    if (buckets !== undefined) histogramBuckets.push(buckets);
  }
  return {
    histogramBuckets,
    matcher: decodeStatsMatcher(message?.statsMatcher, problems.at('stats_matcher')),
    ...given('tags', decodeStatsTags(message, problems)),
  };
}

function decodeStatsMatcher(message: StatsMatcherMessage | undefined, problems: Problems): StatsMatcher {
  const { inclusionList, exclusionList } = message ?? {};
  if (inclusionList === undefined && exclusionList === undefined) return { kind: message?.rejectAll ? 'none' : 'all' };
  const kind = inclusionList === undefined ? 'exclusion' : 'inclusion';
  const list = problems.at(`${kind}_list`).at('patterns');
  const patterns: StringMatcher[] = [];
  for (const [index, pattern] of ((inclusionList ?? exclusionList)?.patterns ?? []).entries()) {
    const matcher = decodeStringMatcher(pattern, list.item(index));
    if (matcher !== undefined) patterns.push(matcher);
  }
  return { kind, patterns };
}

function decodeBuckets(message: HistogramBucketSettings, problems: Problems) {
  const matcher = message.match && decodeStringMatcher(message.match, problems.at('match'));
  if (matcher === undefined) return undefined;
  if (matcher.kind !== 'prefix' || matcher.ignoreCase) {
    problems.at('match').unsupported(`a matcher other than a prefix`, 'write the prefix of the stats');
    return undefined;
  }
  return { prefix: matcher.value, bounds: [...(message.buckets ?? [])].sort((a, b) => a - b) };
}

const downstreamConnections =
  'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig';
/** Monitors are found by name, where other extensions are by type. */
const connectionMonitor = 'envoy.resource_monitors.global_downstream_max_connections';
const resourceMonitor = { what: 'resource monitor', known: [downstreamConnections] } as const;

/** The limit of open downstream connections: a resource monitor, or the runtime key that it replaces. */
export function decodeConnectionLimit(
  message: OverloadManager | undefined,
  runtime: RuntimeValues,
  problems: Problems,
): number | undefined {
  let limit: number | undefined;
  for (const [index, monitor] of (message?.resourceMonitors ?? []).entries()) {
    const place = problems.at('resource_monitors').item(index);
    if (extensionType(monitor, resourceMonitor, place) === undefined) continue;
    if (monitor.name !== connectionMonitor) place.at('name').add(`must be ${connectionMonitor}`);
    if (limit !== undefined) place.add('there is a limit of downstream connections already');
    const config = monitor.typedConfig?.message as DownstreamConnectionsConfig | undefined;
    limit = config?.maxActiveDownstreamConnections;
  }
  return limit ?? runtimeNumber(runtime, 'overload.global_downstream_max_connections');
}
