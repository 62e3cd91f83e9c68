// A parser of OpenMetrics text 1.0 that accepts nothing the specification does not: its grammar line by line, and the rules
// about families, suffixes, histograms and exemplars that the grammar cannot say.
// https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md#abnf

export interface ParsedExemplar {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  /** Seconds since the epoch. */
  readonly timestamp: number | undefined;
}

export interface ParsedSample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  readonly exemplar: ParsedExemplar | undefined;
}

export interface ParsedFamily {
  readonly type: FamilyType;
  readonly unit: string;
  readonly samples: readonly ParsedSample[];
}

type FamilyType = keyof typeof suffixes;

/** What is behind a family's name in the names of its samples. */
const suffixes = {
  counter: ['_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count', '_created'],
  gaugehistogram: ['_bucket', '_gsum', '_gcount'],
  stateset: [''],
  info: ['_info'],
  summary: ['', '_sum', '_count', '_created'],
  unknown: [''],
} as const;

const real = String.raw`[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?`;
const number = `(?:${real}|[+-]?(?:[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)|[nN][aA][nN])`;
const metricName = '[A-Za-z_:][A-Za-z0-9_:]*';
const quoted = String.raw`"(?:[^"\\\n]|\\[^\n])*"`;
const label = `[A-Za-z_][A-Za-z0-9_]*=${quoted}`;
const labels = String.raw`\{(?:${label}(?:,${label})*)?\}`;
const descriptorPattern = new RegExp(`^# (TYPE|HELP|UNIT) (${metricName}) (.*)$`, 's');
const samplePattern = new RegExp(
  `^(${metricName})(${labels})? (${number})(?: (${real}))?(?: # (${labels}) (${number})(?: (${real}))?)?$`,
  's',
);

interface Family {
  type: FamilyType;
  unit: string;
  readonly descriptors: Set<string>;
  readonly samples: ParsedSample[];
}

/** Families by name. @throws Error naming the line or family that is wrong. */
export function parseOpenMetrics(text: string): ReadonlyMap<string, ParsedFamily> {
  const families = new Map<string, Family>();
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.pop() !== '# EOF') throw new Error('the text does not end with # EOF');
  let current = '';
  for (const line of lines) {
    const descriptor = descriptorPattern.exec(line);
    if (descriptor !== null) {
      current = descriptor[2]!;
      describe(family(families, current), current, descriptor);
      continue;
    }
    if (line.startsWith('#')) throw new Error(`no descriptor: ${line}`);
    const sample = parseSample(line);
    const known = families.get(current);
    if (known === undefined || !suffixes[known.type].some((suffix) => sample.name === current + suffix)) {
      throw new Error(`not of family ${current}: ${line}`);
    }
    known.samples.push(sample);
  }
  refuseClashes(families);
  for (const [name, each] of families) check(name, each);
  return families;
}

// A family whose lines are interrupted by another is found here: it has samples when it is described again.
function family(families: Map<string, Family>, name: string): Family {
  const known = families.get(name);
  if (known !== undefined && known.samples.length > 0) throw new Error(`${name} is in two places`);
  const found = known ?? { type: 'unknown' as const, unit: '', descriptors: new Set(), samples: [] };
  families.set(name, found);
  return found;
}

function describe(to: Family, name: string, [line, kind, , value]: RegExpExecArray): void {
  if (to.descriptors.has(kind!)) throw new Error(`twice: ${line}`);
  to.descriptors.add(kind!);
  if (kind === 'TYPE') {
    if (!Object.hasOwn(suffixes, value!)) throw new Error(`no type: ${line}`);
    to.type = value as FamilyType;
  }
  if (kind === 'UNIT') {
    if (value !== '' && !name.endsWith(`_${value}`)) throw new Error(`the name does not end in its unit: ${line}`);
    to.unit = value!;
  }
  if (kind === 'HELP' && /(^|[^\\])(\\\\)*(\\$|")/.test(value!)) throw new Error(`not escaped: ${line}`);
}

function parseSample(line: string): ParsedSample {
  const parts = samplePattern.exec(line);
  if (parts === null) throw new Error(`no sample: ${line}`);
  const [, name, written = '{}', value, timestamp, exemplarLabels, exemplarValue, exemplarTimestamp] = parts;
  if (timestamp !== undefined) throw new Error(`a timestamp of the proxy's own: ${line}`);
  const exemplar =
    exemplarLabels === undefined
      ? undefined
      : {
          labels: parseLabels(exemplarLabels),
          value: toNumber(exemplarValue!),
          timestamp: exemplarTimestamp === undefined ? undefined : Number(exemplarTimestamp),
        };
  return { name: name!, labels: parseLabels(written), value: toNumber(value!), exemplar };
}

function parseLabels(written: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name, value] of written.matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/gs)) {
    if (found.has(name!)) throw new Error(`a label twice: ${written}`);
    if (name!.startsWith('__')) throw new Error(`a reserved label: ${written}`);
    found.set(
      name!,
      value!.replaceAll(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char)),
    );
  }
  return found;
}

function toNumber(text: string): number {
  return Number(text.replace(/inf(inity)?/i, 'Infinity'));
}

/** No two families may have a sample of one name. */
function refuseClashes(families: ReadonlyMap<string, Family>): void {
  const owners = new Map<string, string>();
  for (const [name, { type }] of families) {
    for (const sample of new Set([name, ...suffixes[type].map((suffix) => name + suffix)])) {
      const other = owners.get(sample);
      if (other !== undefined) throw new Error(`families ${other} and ${name} clash at ${sample}`);
      owners.set(sample, name);
    }
  }
}

function check(name: string, { type, samples }: Family): void {
  const seen = new Set<string>();
  const metrics = new Set<string>();
  let metric = '';
  for (const sample of samples) {
    const key = `${sample.name} ${keyOf(sample, [])}`;
    if (seen.has(key)) throw new Error(`twice: ${key}`);
    seen.add(key);
    const own = keyOf(sample, ['le', 'quantile']);
    if (own !== metric && metrics.has(own)) throw new Error(`${own} of ${name} is in two places`);
    metric = own;
    metrics.add(own);
    if (type === 'counter' && !(sample.value >= 0)) throw new Error(`a counter must not be ${sample.value}: ${key}`);
    checkExemplar(type, sample);
  }
  if (type === 'histogram') for (const each of metrics) checkHistogram(name, each, samples);
}

function checkExemplar(type: FamilyType, { name, labels: own, exemplar }: ParsedSample): void {
  if (exemplar === undefined) return;
  const mayHave = (type === 'histogram' && name.endsWith('_bucket')) || (type === 'counter' && name.endsWith('_total'));
  if (!mayHave) throw new Error(`${name} may have no exemplar`);
  const length = [...exemplar.labels].reduce((sum, [key, value]) => sum + [...key].length + [...value].length, 0);
  if (length > 128) throw new Error(`an exemplar of ${name} has labels of ${length} characters`);
  if (Number.isNaN(exemplar.value)) throw new Error(`an exemplar of ${name} is not a number`);
  const bound = own.get('le');
  if (bound !== undefined && exemplar.value > toNumber(bound))
    throw new Error(`an exemplar of ${name} is above ${bound}`);
}

function checkHistogram(name: string, metric: string, all: readonly ParsedSample[]): void {
  const samples = all.filter((sample) => keyOf(sample, ['le']) === metric);
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  let bound = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const { labels: own, value } of buckets) {
    const text = own.get('le') ?? '';
    if (text !== '+Inf' && !/^\d+\.\d+$|e[+-]\d\d/.test(text))
      throw new Error(`le="${text}" of ${name} is not canonical`);
    const next = toNumber(text);
    if (!(next > bound) || value < count) throw new Error(`buckets of ${name} do not grow: ${metric}`);
    bound = next;
    count = value;
  }
  if (bound !== Number.POSITIVE_INFINITY) throw new Error(`${name} has no last bucket: ${metric}`);
  const total = samples.find((sample) => sample.name === `${name}_count`);
  const sum = samples.find((sample) => sample.name === `${name}_sum`);
  if (total?.value !== count || sum === undefined) throw new Error(`the totals of ${name} are wrong: ${metric}`);
}

function keyOf({ labels: own }: ParsedSample, without: readonly string[]): string {
  // A label without a value is as none.
  const kept = [...own].filter(([name, value]) => !without.includes(name) && value !== '');
  return JSON.stringify(kept.sort());
}
