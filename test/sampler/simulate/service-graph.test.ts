import t from 'tap';
import { seededRandom } from '../../../sampler/simulate/seeded-random.ts';
import { type SimulatedRoute, serviceGraph } from '../../../sampler/simulate/service-graph.ts';

const sizeOf = ({ calls }: SimulatedRoute): number => calls.reduce((size, call) => size + sizeOf(call), 1);

t.test('services are as many as asked for, one of them payment, and their shares are all there is', (t) => {
  for (const services of [2, 5, 8, 30]) {
    const routes = serviceGraph(services, seededRandom(1));
    const names = new Set(routes.map(({ service }) => service));
    t.equal(names.size, services);
    t.ok(names.has('payment'), `of ${services}`);
    const share = routes.reduce((sum, route) => sum + route.share, 0);
    t.ok(Math.abs(share - 1) < 1e-9, `${share}`);
  }
  t.end();
});

t.test("shares follow Zipf's law: the first has about twice the second", (t) => {
  const shares = serviceGraph(8, seededRandom(1)).map(({ share }) => share);
  const [first, second] = shares.sort((left, right) => right - left);
  t.ok(Math.abs(first! / second! - 2 ** 1.1) < 1e-9);
  t.end();
});

t.test('routes call routes of other services, without circles, and a trace stays small', (t) => {
  const routes = serviceGraph(50, seededRandom(1));
  const order = new Map([...new Set(routes.map(({ service }) => service))].map((service, index) => [service, index]));
  const callsEarlier = ({ service, calls }: SimulatedRoute) =>
    calls.every((call) => order.get(call.service)! < order.get(service)!);
  t.ok(routes.every(callsEarlier));
  const sizes = routes.map(sizeOf);
  t.ok(Math.max(...sizes) < 200, `at most ${Math.max(...sizes)} requests a trace`);
  t.end();
});
