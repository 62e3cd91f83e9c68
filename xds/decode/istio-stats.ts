// Istio's metrics (`stats.PluginConfig`): which are kept, and with which tags.
//
// A tag's value is an expression of CEL in Istio. Those that the Telemetry API makes in practice are read, a literal, a
// string of the node's metadata, host or method of the request; others are refused, or a tag would lie.

import type { IstioMetric, IstioMetricOverride, IstioStats, IstioTagValue } from '../../config/istio-filter.ts';
import type { Problems } from '../../config/problems.ts';
import type { MetricConfig, PluginConfig } from '../generated/messages.ts';

export function decodeIstioStats(message: PluginConfig, problems: Problems): IstioStats {
  const overrides = new Map<IstioMetric, MutableOverride>();
  for (const [index, metric] of (message.metrics ?? []).entries()) {
    override(overrides, metric, problems.at('metrics').item(index));
  }
  return {
    usesHostHeader: message.disableHostHeaderFallback !== true,
    tcpReportingIntervalMs: message.tcpReportingDuration ?? 5_000,
    overrides: Object.fromEntries(overrides),
  };
}

type MutableOverride = { -readonly [K in keyof IstioMetricOverride]: IstioMetricOverride[K] };

/** Those that count bytes and requests; messages of gRPC streams are not counted yet. */
const metrics: readonly IstioMetric[] = [
  'requests_total',
  'request_duration_milliseconds',
  'request_bytes',
  'response_bytes',
  'tcp_connections_opened_total',
  'tcp_connections_closed_total',
  'tcp_sent_bytes_total',
  'tcp_received_bytes_total',
];
const notKept: readonly string[] = ['request_messages_total', 'response_messages_total'];

/** Later entries win over earlier ones. One without a name is for all metrics. */
function override(
  overrides: Map<IstioMetric, MutableOverride>,
  { name = '', dimensions = {}, tagsToRemove = [], drop }: MetricConfig,
  problems: Problems,
): void {
  const metric = metrics.find((known) => known === name);
  if (notKept.includes(name)) return;
  if (metric === undefined && name !== '') {
    problems.at('name').add(`${JSON.stringify(name)} is no metric of Istio; they are ${metrics.join(', ')}`);
    return;
  }
  const tags: { [tag: string]: IstioTagValue } = {};
  for (const [tag, expression] of Object.entries(dimensions)) {
    const place = problems.at('dimensions').at(tag);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(tag)) place.add('a tag has letters, digits and underscores');
    const value = parseTagValue(expression);
    if (value !== undefined) tags[tag] = value;
    else place.unsupported(expression, "write 'text', node.metadata['NAME'], request.host or request.method");
  }
  for (const each of metric === undefined ? metrics : [metric]) {
    const before = overrides.get(each) ?? { isDropped: false, removedTags: [], tags: {} };
    overrides.set(each, {
      isDropped: drop ?? before.isDropped,
      removedTags: [...before.removedTags, ...tagsToRemove],
      tags: { ...before.tags, ...tags },
    });
  }
}

function parseTagValue(expression: string): IstioTagValue | undefined {
  const text = expression.trim();
  const literal = /^'([^'\\]*)'$/.exec(text) ?? /^"([^"\\]*)"$/.exec(text);
  if (literal !== null) return { kind: 'literal', text: literal[1]! };
  if (text === 'request.host' || text === 'request.method') {
    return { kind: 'request', part: text === 'request.host' ? 'host' : 'method' };
  }
  const node = /^(?:xds\.)?node\.metadata((?:\.[A-Za-z_]\w*|\['[^'\\]+'\]|\["[^"\\]+"\])+)$/.exec(text);
  if (node === null) return undefined;
  const path = [...node[1]!.matchAll(/\.(\w+)|\['([^']+)'\]|\["([^"]+)"\]/g)].map(
    ([, word, single, double]) => word ?? single ?? double!,
  );
  return { kind: 'node-metadata', path };
}
