import t from 'tap';
import type { SimulatedRequest } from '../../../sampler/simulate/simulated-request.ts';
import { workload } from '../../../sampler/simulate/workload.ts';

const options = { tracesPerSecond: 200, durationMs: 60_000, services: 8, seed: 1 };
const seconds = options.durationMs / 1000;

function tracesOf(requests: readonly SimulatedRequest[]): readonly SimulatedRequest[] {
  const roots = new Map(requests.toReversed().map((request) => [request.trace, request]));
  return [...roots.values()].sort((left, right) => left.atMs - right.atMs);
}

t.test('the same seed makes the same requests, another one others', (t) => {
  t.same(workload(options), workload(options));
  t.notSame(workload({ ...options, seed: 2 })[0], workload(options)[0]);
  t.end();
});

t.test('requests come in the order of their arrival, and calls lie within the request that makes them', (t) => {
  const requests = workload(options);
  t.ok(requests.every(({ atMs }, index) => index === 0 || requests[index - 1]!.atMs <= atMs));
  const roots = new Map(tracesOf(requests).map((root) => [root.trace, root]));
  const isWithin = ({ trace, atMs, durationMs }: SimulatedRequest) => {
    const root = roots.get(trace)!;
    return root.atMs <= atMs && atMs + durationMs <= root.atMs + root.durationMs + 1e-6;
  };
  t.ok(requests.every(isWithin));
  t.ok(requests.length > roots.size, 'traces have several requests');
  t.end();
});

t.test('traces begin at the rate asked for, at random, and more often while callers try again', (t) => {
  const bySecond = new Array<number>(seconds).fill(0);
  for (const { atMs } of tracesOf(workload(options))) bySecond[Math.floor(atMs / 1000)]!++;
  const calm = bySecond.filter((count) => count < 260);
  const mean = calm.reduce((sum, count) => sum + count, 0) / calm.length;
  // Four standard deviations of a Poisson count, over the mean of as many seconds.
  t.ok(Math.abs(mean - 200) < (4 * Math.sqrt(200)) / Math.sqrt(calm.length), `${mean} in a calm second (seed 1)`);
  const variance = calm.reduce((sum, count) => sum + (count - mean) ** 2, 0) / calm.length;
  t.ok(variance > 100 && variance < 400, `its variance ${variance} is about the mean, as Poisson's is`);
  t.ok(Math.max(...bySecond) > 340, 'a burst doubles it');
  t.end();
});

t.test('some services are asked far more than others, payment among them', (t) => {
  const counts = Map.groupBy(workload(options), ({ service }) => service);
  t.equal(counts.size, 8);
  t.ok(counts.has('payment'));
  const sizes = [...counts.values()].map(({ length }) => length).sort((left, right) => right - left);
  t.ok(sizes[0]! > 5 * sizes.at(-1)!, sizes.join(' '));
  t.ok(new Set(workload({ ...options, services: 2, durationMs: 1000 }).map(({ service }) => service)).has('payment'));
  t.end();
});

t.test('a few requests fail, and most of those in bursts', (t) => {
  const requests = workload(options);
  const errors = requests.filter(({ status }) => status >= 500);
  t.ok(errors.length / requests.length > 0.005 && errors.length / requests.length < 0.1, `${errors.length} errors`);
  const bySecond = new Array<number>(seconds + 60).fill(0);
  for (const { atMs } of errors) bySecond[Math.floor(atMs / 1000)]!++;
  const worst = bySecond.sort((left, right) => right - left).slice(0, 15);
  t.ok(worst.reduce((sum, count) => sum + count) > errors.length / 2, 'more than half in a quarter of the time');
  t.end();
});

t.test('a few are slow', (t) => {
  const durations = workload(options).map(({ durationMs }) => durationMs);
  durations.sort((left, right) => left - right);
  const [median, tail] = [durations[durations.length >> 1]!, durations[Math.floor(durations.length * 0.999)]!];
  t.ok(tail > 20 * median, `median ${median} ms, 99.9 % below ${tail} ms`);
  t.end();
});
