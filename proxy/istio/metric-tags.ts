// The tags of Istio's metrics, and what an operator changes in them: which metrics have the same tags, and so are counted
// together. https://istio.io/latest/docs/reference/config/metrics/

import type { IstioMetric, IstioStats, IstioTagValue } from '../../config/istio-filter.ts';
import { otherName } from '../telemetry/request-stats.ts';
import { counter, defineStats, histogram, type Stat, type StatSet } from '../telemetry/stats.ts';

/** In Istio's order. Those of TCP are all but the two that speak of responses. */
export const tagNames = [
  'reporter',
  'source_workload',
  'source_canonical_service',
  'source_canonical_revision',
  'source_workload_namespace',
  'source_principal',
  'source_app',
  'source_version',
  'source_cluster',
  'destination_workload',
  'destination_workload_namespace',
  'destination_principal',
  'destination_app',
  'destination_version',
  'destination_service',
  'destination_canonical_service',
  'destination_canonical_revision',
  'destination_service_name',
  'destination_service_namespace',
  'destination_cluster',
  'request_protocol',
  'response_code',
  'grpc_response_status',
  'response_flags',
  'connection_security_policy',
] as const;
export type TagName = (typeof tagNames)[number];
export type TagValues = { readonly [Name in TagName]: string };

/** What of a request an operator's tags may be made of; empty for TCP. */
export interface RequestParts {
  readonly host: string;
  readonly method: string;
}

/** Metrics with the same tags. */
export interface MetricGroup {
  readonly set: StatSet;
  /** Index in the set of each metric of the group. */
  readonly index: { readonly [Metric in IstioMetric]?: number };
  /** The names of a block of the set. */
  readonly names: (tags: TagValues, parts: RequestParts) => readonly string[];
  /** Those of what has no series of its own; tags that have few values are kept. */
  readonly otherNames: (names: readonly string[]) => readonly string[];
}

export const httpMetrics: readonly IstioMetric[] = [
  'requests_total',
  'request_duration_milliseconds',
  'request_bytes',
  'response_bytes',
];
export const tcpMetrics: readonly IstioMetric[] = [
  'tcp_connections_opened_total',
  'tcp_connections_closed_total',
  'tcp_sent_bytes_total',
  'tcp_received_bytes_total',
];

export interface TagOptions {
  readonly config: IstioStats;
  readonly nodeMetadata: { readonly [key: string]: unknown };
}

/** Makes groups; equal ones of several filters have one set, and so share their series. */
export class MetricGroups {
  readonly #sets = new Map<string, StatSet & { readonly [metric: string]: number }>();

  compile(metrics: readonly IstioMetric[], options: TagOptions): readonly MetricGroup[] {
    const byLayout = new Map<string, { readonly tags: readonly Tag[]; readonly metrics: IstioMetric[] }>();
    for (const metric of metrics) {
      if (options.config.overrides[metric]?.isDropped === true) continue;
      const tags = tagsOf(metric, options);
      const layout = JSON.stringify(tags);
      const group = byLayout.get(layout) ?? { tags, metrics: [] };
      group.metrics.push(metric);
      byLayout.set(layout, group);
    }
    return [...byLayout.values()].map(({ tags, metrics: together }) => this.#group(tags, together));
  }

  #group(tags: readonly Tag[], metrics: readonly IstioMetric[]): MetricGroup {
    const template = tags.map(({ name }) => `{${name}}`).join('.');
    const key = `${template} ${metrics.join()}`;
    const set = this.#sets.get(key) ?? defineSet(template, metrics);
    this.#sets.set(key, set);
    return {
      set,
      index: Object.fromEntries(metrics.map((metric) => [metric, set[metric]!])),
      names: (values, parts) => tags.map(({ value }) => textOf(value, values, parts)),
      otherNames: (names) => names.map((name, at) => (isKept(tags[at]!.name) ? name : otherName)),
    };
  }
}

function defineSet(template: string, metrics: readonly IstioMetric[]) {
  const stats: { [metric: string]: Stat } = {};
  for (const metric of metrics) stats[metric] = statOf(metric);
  return defineStats(template, stats, { vocabulary: 'istio' });
}

function statOf(metric: IstioMetric): Stat {
  if (metric === 'request_duration_milliseconds') return histogram(metric, 'ms');
  return metric === 'request_bytes' || metric === 'response_bytes' ? histogram(metric, 'bytes') : counter(metric);
}

interface Tag {
  readonly name: string;
  readonly value: { readonly kind: 'own'; readonly tag: TagName } | Exclude<IstioTagValue, { kind: 'node-metadata' }>;
}

function tagsOf(metric: IstioMetric, { config, nodeMetadata }: TagOptions): readonly Tag[] {
  const { removedTags = [], tags: given = {} } = config.overrides[metric] ?? {};
  const isTcp = tcpMetrics.includes(metric);
  const own = tagNames.filter((name) => !(isTcp && (name === 'response_code' || name === 'grpc_response_status')));
  const added = Object.keys(given).filter((name) => !(own as readonly string[]).includes(name));
  return [...own, ...added]
    .filter((name) => !removedTags.includes(name))
    .map((name) => {
      const value = given[name];
      if (value === undefined) return { name, value: { kind: 'own', tag: name as TagName } };
      if (value.kind !== 'node-metadata') return { name, value };
      return { name, value: { kind: 'literal', text: nodeText(nodeMetadata, value.path) } };
    });
}

function nodeText(metadata: unknown, path: readonly string[]): string {
  let value = metadata;
  for (const key of path) {
    value =
      typeof value === 'object' && value !== null ? (value as { readonly [key: string]: unknown })[key] : undefined;
  }
  return typeof value === 'string' ? value : UNKNOWN;
}

function textOf(value: Tag['value'], values: TagValues, parts: RequestParts): string {
  if (value.kind === 'own') return values[value.tag];
  const text = value.kind === 'literal' ? value.text : parts[value.part];
  return text === '' ? UNKNOWN : text;
}

function isKept(name: string): boolean {
  return name === 'reporter' || name === 'request_protocol' || name === 'response_code';
}

/** Istio's word for what is not known. */
export const UNKNOWN = 'unknown';
