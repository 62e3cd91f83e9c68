import t from 'tap';
import { defaultSettings, type SamplingSettings } from '../../../sampler/settings.ts';
import { type Compared, compare } from '../../../sampler/simulate/comparison.ts';
import { comparisonSvg } from '../../../sampler/simulate/comparison-svg.ts';
import { comparisonText } from '../../../sampler/simulate/comparison-text.ts';
import { workload } from '../../../sampler/simulate/workload.ts';

const seed = 5;
const settings: SamplingSettings = { ...defaultSettings, budget: { tracesPerSecond: 10, scope: 'instance' } };
const requests = workload({ tracesPerSecond: 100, durationMs: 60_000, services: 8, seed });
const comparison = compare(requests, settings);
const [outrigger, head, bucket, tail] = comparison.strategies as [Compared, Compared, Compared, Compared];

/** Services whose estimate is further from the truth than its own weights allow for. */
function offLimits({ services }: Compared): readonly string[] {
  return services
    .filter((each) => Math.abs(each.estimated - each.requests) > 3 * each.sigma)
    .map(({ service }) => service);
}

t.test(`our estimates are within 3 sigma for every service, a token bucket's are not (seed ${seed})`, (t) => {
  t.same(offLimits(outrigger), []);
  t.same(offLimits(head), []);
  t.same(offLimits(tail), []);
  t.ok(offLimits(bucket).length >= 4, `off: ${offLimits(bucket).join(', ')}`);
  t.end();
});

t.test(`every error is kept and counted once (seed ${seed})`, (t) => {
  // Few enough that no sidecar has more of them in a second than its fuse lets pass.
  const calm = workload({ tracesPerSecond: 40, durationMs: 60_000, services: 8, seed });
  const [ours, byHead, byBucket, byTail] = compare(calm, settings).strategies.map(({ total }) => total);
  const { errors, errorsKept, errorsEstimated } = ours!;
  t.ok(errors > 50, `${errors} errors`);
  t.equal(errorsKept, errors);
  t.equal(errorsEstimated, errors);
  t.ok(byBucket!.errorsKept < errors && byHead!.errorsKept < errors / 10);
  t.equal(byTail!.errorsKept, errors);
  t.end();
});

t.test('errors above the fuse are still counted, by those that are kept', (t) => {
  const fused = { ...settings, errors: { ...settings.errors, maxPerSecond: 2 } };
  const { errors, errorsKept, errorsEstimated } = compare(requests, fused).strategies[0]!.total;
  t.ok(errorsKept < 0.8 * errors, `${errorsKept} of ${errors} kept (seed ${seed})`);
  t.ok(Math.abs(errorsEstimated / errors - 1) < 0.25, `${errorsEstimated} estimated (seed ${seed})`);
  t.end();
});

t.test('no sidecar keeps more of a second than its caps, however much is wanted', (t) => {
  const all = { ...settings, baseRate: 1, rules: [], slow: undefined, errors: { ...settings.errors, maxPerSecond: 3 } };
  const { tracesBySecond } = compare(requests, all as unknown as SamplingSettings).strategies[0]!;
  // Each of 8 sidecars ends its windows at a moment of its own: those of two may meet in one second of the clock.
  t.ok(Math.max(...tracesBySecond) <= 2 * 8 * (10 + 3), `${Math.max(...tracesBySecond)} traces at most`);
  t.end();
});

t.test('ours holds and sends little; tail sampling everything', (t) => {
  t.ok(outrigger.spansSent < comparison.truth.requests / 10);
  t.equal(tail.spansSent, comparison.truth.requests);
  t.ok(tail.mostHeldBytes > 50 * outrigger.mostHeldBytes);
  t.end();
});

t.test('the same workload and settings give the same figures', (t) => {
  t.same(compare(requests, settings).strategies, comparison.strategies);
  t.end();
});

t.test('the text has a table for each strategy with a line for each service, and a plot', (t) => {
  const text = comparisonText(comparison);
  for (const { name, services } of comparison.strategies) {
    const table = text.slice(text.indexOf(`\n${name}: `) + 1).split('\n\n')[0]!;
    t.equal(
      table.split('\n').length,
      services.length + 3,
      `${name}: its line, the columns, the services and their sum`,
    );
  }
  const [payment] = outrigger.services.filter(({ service }) => service === 'payment');
  t.match(text, new RegExp(`payment +${payment!.requests.toLocaleString('en-US')} +${payment!.kept} `));
  t.match(text, /error of the estimated count {3}● outrigger {3}h head 1 % {3}b token bucket 10\/s {3}t tail\n/);
  t.equal(text.match(/^ {2}\S+ +[·┊●hbt]{61}$/gm)?.length, 8);
  t.match(text, /at most 10 errors a second/);
  t.end();
});

t.test('the picture is well-formed, for light and dark, and names every service', (t) => {
  const svg = comparisonSvg(comparison);
  t.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /);
  t.match(svg, 'prefers-color-scheme: dark');
  t.notMatch(svg, /NaN|undefined|Infinity/);
  const open: string[] = [];
  for (const [, end, name, single] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
    if (end === '/') t.equal(open.pop(), name);
    else if (single !== '/') open.push(name!);
  }
  t.same(open, [], 'every element ends');
  for (const { service } of comparison.truth.services) t.match(svg, `>${service}</text>`);
  t.end();
});

t.test('names of services are data, in the picture too', (t) => {
  const hostile = requests.slice(0, 50).map((request) => ({ ...request, service: '<script>&"' }));
  const svg = comparisonSvg(compare(hostile, settings));
  t.match(svg, '&lt;script&gt;&amp;&quot;');
  t.notMatch(svg, '<script');
  t.end();
});
