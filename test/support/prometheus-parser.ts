// A parser of the Prometheus text exposition format that accepts nothing the format does not allow: every line, the order of
// metrics, labels without doubles, and what a histogram promises.
// https://prometheus.io/docs/instrumenting/exposition_formats/

export interface Sample {
  /** With `_bucket`, `_sum`, `_count` where the type has them. */
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly samples: readonly Sample[];
}

/** Metrics by name. @throws Error naming the line that is wrong. */
export function parseExposition(text: string): ReadonlyMap<string, Metric> {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end');
  const metrics = new Map<string, { type: Metric['type']; samples: Sample[] }>();
  let current = '';
  for (const line of text.split('\n').slice(0, -1)) {
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary)$/.exec(line);
    if (type !== null) {
      current = type[1]!;
      if (metrics.has(current)) throw new Error(`a second TYPE of ${current}`);
      metrics.set(current, { type: type[2] as Metric['type'], samples: [] });
      continue;
    }
    const sample = parseSample(line);
    const metric = metrics.get(current);
    if (metric === undefined || !isOf(sample.name, current, metric.type)) throw new Error(`not of ${current}: ${line}`);
    metric.samples.push(sample);
  }
  for (const [name, metric] of metrics) check(name, metric);
  return metrics;
}

function parseSample(line: string): Sample {
  // The s: a label may hold any character but the end of the line, such as a carriage return.
  const parts = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/s.exec(line);
  if (parts === null) throw new Error(`no sample: ${line}`);
  const labels = new Map<string, string>();
  const pattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
  const written = parts[2] ?? '';
  while (pattern.lastIndex < written.length) {
    const label = pattern.exec(written);
    if (label === null || labels.has(label[1]!)) throw new Error(`labels: ${line}`);
    labels.set(label[1]!, label[2]!);
  }
  return { name: parts[1]!, labels, value: Number(parts[3]!.replace('Inf', 'Infinity')) };
}

function isOf(name: string, metric: string, type: Metric['type']): boolean {
  if (type === 'histogram') return [`${metric}_bucket`, `${metric}_sum`, `${metric}_count`].includes(name);
  return name === metric || (type === 'summary' && [`${metric}_sum`, `${metric}_count`].includes(name));
}

function check(name: string, { type, samples }: Metric): void {
  if (samples.length === 0) throw new Error(`${name} has no sample`);
  const seen = new Set<string>();
  for (const sample of samples) {
    const key = `${sample.name} ${JSON.stringify([...sample.labels].sort())}`;
    if (seen.has(key)) throw new Error(`twice: ${key}`);
    seen.add(key);
    if (type === 'counter' && !(sample.value >= 0)) throw new Error(`a counter below zero: ${key}`);
  }
  if (type !== 'histogram') return;
  let previous = null as { key: string; value: number; bound: number } | null;
  for (const sample of samples) {
    const { le, key } = seriesOf(sample);
    if (sample.name.endsWith('_bucket')) {
      const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
      if (previous?.key === key && (sample.value < previous.value || bound <= previous.bound)) {
        throw new Error(`buckets of ${name} do not grow`);
      }
      previous = { key, value: sample.value, bound };
    } else if (
      sample.name.endsWith('_count') &&
      (previous?.bound !== Number.POSITIVE_INFINITY || sample.value !== previous.value)
    ) {
      throw new Error(`the last bucket of ${name} is not its count`);
    }
  }
}

function seriesOf({ labels }: Sample): { le: string; key: string } {
  const others = [...labels].filter(([name]) => name !== 'le');
  return { le: labels.get('le') ?? '', key: JSON.stringify(others.sort()) };
}
