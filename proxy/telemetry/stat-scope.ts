// How the stats of a scope are called: in Envoy's text (`cluster.a.upstream_rq_total`) and in Prometheus
// (`envoy_cluster_upstream_rq_total{envoy_cluster_name="a"}`).
//
// Envoy finds the labels in the finished name by regular expressions, and a cluster called `a.external` confuses it.
// Here a scope says where its names stand. https://github.com/envoyproxy/envoy/blob/main/source/common/config/well_known_names.cc

import { type Stat, type StatScope, sanitizeName } from './stats.ts';

const placeholder = /\{(\w+)\}/g;

/** `cluster.a.`, in front of the name of each stat. One name for each `{label}` of the template. */
export function scopePrefix(scope: StatScope, names: readonly string[]): string {
  let index = 0;
  const prefix = scope.template.replace(placeholder, () => sanitizeName(names[index++] ?? ''));
  // A stat without a name of its own is called by the last of these.
  return scope.stats[0]?.name === '' ? prefix : `${prefix}.`;
}

/** `envoy_cluster_name="a"`, as it stands between braces: the innermost name first, as Envoy prints it. */
export function scopeLabels(scope: StatScope, names: readonly string[]): string {
  return labelsOf(scope, names)
    .map(([label, value]) => `${label}="${escapeLabel(value)}"`)
    .join(',');
}

/** Labels in the order of a block's names. */
export function labelNames(scope: StatScope): readonly string[] {
  const known = labelsByScope.get(scope);
  if (known !== undefined) return known;
  const labels = [...scope.template.matchAll(placeholder)].map(([, label]) => label!);
  labelsByScope.set(scope, labels);
  return labels;
}

const labelsByScope = new WeakMap<StatScope, readonly string[]>();

/** Labels and their values, innermost first. Values of Envoy's labels are spelled as Envoy does; ours stay as they are. */
export function labelsOf(scope: StatScope, names: readonly string[]): [string, string][] {
  const labels = labelNames(scope).map((label, index): [string, string] => {
    const name = names[index] ?? '';
    return [label, scope.vocabulary === 'envoy' ? sanitizeName(name) : name];
  });
  return labels.reverse();
}

export interface LabelPlace {
  readonly label: string;
  readonly value: string;
  /** What is taken out of the name for it. */
  readonly start: number;
  readonly end: number;
}

/** Where the values of default labels stand in the whole name of a stat, such as `cluster.a.upstream_rq_200`. */
export function placesOfLabels(scope: StatScope, names: readonly string[], fullName: string): readonly LabelPlace[] {
  const places: LabelPlace[] = [];
  let offset = 0;
  let index = 0;
  let from = 0;
  for (const match of scope.template.matchAll(placeholder)) {
    offset += match.index - from;
    from = match.index + match[0].length;
    const value = sanitizeName(names[index++] ?? '');
    const end = offset + value.length;
    // With what joins it to the rest: `worker_0` is `worker`, and `cluster.a.` is `cluster.`.
    const isJoined = fullName[offset - 1] === '_';
    const place = isJoined ? { start: offset - 1, end } : { start: offset, end: end + 1 };
    places.push({ label: match[1]!, value, ...place });
    offset = end;
  }
  const status = /_(\d)xx$|_(\d{3})$/.exec(fullName);
  if (status === null) return places.reverse();
  const [whole, group, code] = status;
  const { index: at } = status;
  // `_2xx` is `_xx`, `_200` is nothing.
  const place =
    group !== undefined
      ? { label: 'envoy_response_code_class', value: group, start: at + 1, end: at + 2 }
      : { label: 'envoy_response_code', value: code!, start: at, end: at + whole.length };
  return [place, ...places.reverse()];
}

export interface Metric {
  readonly name: string;
  /** The stat's own label, such as `envoy_response_code_class="2"`; empty when it has none. */
  readonly label: string;
}

/** The Prometheus metric of a stat. Classes of status codes (`_2xx`) share one metric, told apart by a label. */
export function metricOf(scope: StatScope, stat: Stat): Metric {
  const segments = scope.template.split('.').map((segment) => segment.replace(placeholder, '').replace(/_$/, ''));
  const responseClass = /^(.*_)(\d)xx$/.exec(stat.name);
  const name = responseClass === null ? stat.name : `${responseClass[1]}xx`;
  const words = [scope.vocabulary, ...segments, name].filter((word) => word !== '');
  return {
    name: words.join('_').replaceAll(/[^A-Za-z0-9_]/g, '_'),
    label: responseClass === null ? '' : `envoy_response_code_class="${responseClass[2]}"`,
  };
}

/** Envoy's name of a stat without what its labels say: `cluster.upstream_rq_total`, `listener.worker_downstream_cx_total`. */
export function taglessName({ template, vocabulary }: StatScope, { name }: Stat): string {
  const start = vocabulary === 'envoy' ? '' : `${vocabulary}.`;
  const whole = name === '' ? template : `${template}.${name}`;
  return (
    start +
    whole
      .replaceAll(/\{\w+\}\./g, '')
      .replace(/\.\{\w+\}$/, '')
      .replace(/_\dxx$/, '_xx')
  );
}

// https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information
export function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
