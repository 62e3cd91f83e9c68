import t from 'tap';
import { seededRandom } from '../../../sampler/simulate/seeded-random.ts';
import {
  type SimulatedRequest,
  type SimulatedTrace,
  simulatedTrace,
} from '../../../sampler/simulate/simulated-request.ts';
import { Tally } from '../../../sampler/simulate/tally.ts';
import { truthOf } from '../../../sampler/simulate/truth.ts';
import { onlyItems } from '../../support/only-items.ts';

const traces = Array.from({ length: 200 }, (_, index) => simulatedTrace(index.toString(16).padStart(32, '0')));
const traceNumber = (number: number): SimulatedTrace => traces[number]!;

function request(service: string, trace: SimulatedTrace, status = 200): SimulatedRequest {
  return { service, trace, status, atMs: 0, durationMs: 0, route: '/', method: 'GET' };
}

t.test('kept requests are counted by what they stand for, beside what there was', (t) => {
  const [first, second] = [traceNumber(1), traceNumber(2)];
  const requests = [request('a', first), request('a', first, 500), request('b', first), request('a', second)];
  const tally = new Tally();
  tally.add({ request: requests[0]!, atMs: 500, weight: 4 });
  tally.add({ request: requests[1]!, atMs: 2500, weight: 1 });
  const { services, total, ...rest } = tally.result(truthOf(requests));
  t.match(
    services,
    onlyItems(
      { service: 'a', requests: 3, errors: 1, kept: 2, estimated: 5, errorsKept: 1, errorsEstimated: 1 },
      { service: 'b', requests: 1, errors: 0, kept: 0, estimated: 0, errorsKept: 0, errorsEstimated: 0, sigma: 0 },
    ),
  );
  t.match(total, { service: 'all', requests: 4, kept: 2, estimated: 5, errors: 1 });
  t.same(rest, { tracesKept: 1, wholeTraces: 0, tracesBySecond: [1] }, 'a trace counts where it was kept first');
  t.end();
});

t.test('a trace is whole when every request of it is kept', (t) => {
  const requests = [request('a', traceNumber(1)), request('b', traceNumber(1)), request('a', traceNumber(2))];
  const tally = new Tally();
  for (const each of requests.slice(0, 2)) tally.add({ request: each, atMs: 3000, weight: 1 });
  t.match(tally.result(truthOf(requests)), { tracesKept: 1, wholeTraces: 1, tracesBySecond: onlyItems(0, 0, 0, 1) });
  t.end();
});

t.test('services that are kept together vary together, which the sum knows', (t) => {
  const requests = [request('a', traceNumber(1)), request('b', traceNumber(1))];
  const tally = new Tally();
  for (const each of requests) tally.add({ request: each, atMs: 0, weight: 10 });
  const { services, total } = tally.result(truthOf(requests));
  t.same(
    services.map(({ sigma }) => sigma ** 2),
    [90, 90],
    'each is 10 or 0',
  );
  t.ok(Math.abs(total.sigma ** 2 - 360) < 1e-9, 'both are 20 or 0');
  t.end();
});

t.test('sigma is that of estimates over many draws, requests of one trace drawn together', (t) => {
  const seed = 7;
  const random = seededRandom(seed);
  // Two requests of a service in each trace, one of them kept with a lower probability by the same number.
  const [often, seldom] = [0.5, 0.2];
  const requests = Array.from({ length: 400 }, (_, index) => request('a', traceNumber(index >> 1)));
  const truth = truthOf(requests);
  const estimates: number[] = [];
  let variances = 0;
  for (let round = 0; round < 500; round++) {
    const tally = new Tally();
    for (let index = 0; index < requests.length; index += 2) {
      const draw = random();
      if (draw < often) tally.add({ request: requests[index]!, atMs: 0, weight: 1 / often });
      if (draw < seldom) tally.add({ request: requests[index + 1]!, atMs: 0, weight: 1 / seldom });
    }
    const { estimated, sigma } = tally.result(truth).total;
    estimates.push(estimated);
    variances += sigma ** 2;
  }
  const mean = estimates.reduce((sum, each) => sum + each) / estimates.length;
  const variance = estimates.reduce((sum, each) => sum + (each - mean) ** 2, 0) / estimates.length;
  t.ok(Math.abs(mean - 400) < 3 * Math.sqrt(variance / 500), `mean ${mean} of 400 (seed ${seed})`);
  const ratio = variances / estimates.length / variance;
  t.ok(ratio > 0.8 && ratio < 1.25, `told variance is ${ratio} of the real one (seed ${seed})`);
  t.end();
});
