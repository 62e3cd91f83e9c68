import fc from 'fast-check';
import t from 'tap';
import { type PriorityCounts, spreadLoad } from '../../../proxy/cluster/priority-load.ts';

const envoyDefaults = { overprovisioningFactorPercent: 140, panicThresholdPercent: 50 };

const shape = (counts: readonly (readonly [number, number, number])[], options = envoyDefaults) =>
  spreadLoad(
    counts.map(([total, healthy, degraded]) => ({ total, healthy, degraded })),
    options,
  ).map((load) => `${load.healthyPercent}/${load.degradedPercent}${load.isInPanic ? ' panic' : ''}`);

// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
t.test('two priorities share the load as in the table of the Envoy documentation', (t) => {
  const table: readonly (readonly [number, number, number, number])[] = [
    [100, 100, 100, 0],
    [72, 72, 100, 0],
    [71, 71, 99, 1],
    [50, 50, 70, 30],
    [25, 100, 35, 65],
    [25, 25, 50, 50],
  ];
  for (const [healthy0, healthy1, load0, load1] of table) {
    const loads = spreadLoad(
      [
        { total: 100, healthy: healthy0, degraded: 0 },
        { total: 100, healthy: healthy1, degraded: 0 },
      ],
      { ...envoyDefaults, panicThresholdPercent: 0 },
    );
    t.same(
      loads.map((load) => load.healthyPercent),
      [load0, load1],
      `${healthy0} % and ${healthy1} % healthy`,
    );
  }
  t.end();
});

t.test('degraded endpoints take what the healthy ones of all priorities leave', (t) => {
  t.same(shape([[100, 50, 50]]), ['70/30']);
  t.same(
    shape([
      [100, 5, 5],
      [100, 100, 0],
    ]),
    ['7/0', '93/0'],
    'before that a healthy lower priority is used',
  );
  t.same(
    shape([
      [100, 0, 100],
      [100, 0, 0],
    ]),
    ['0/100', '0/0'],
  );
  t.same(
    shape(
      [
        [100, 0, 0],
        [100, 0, 50],
        [100, 0, 16],
      ],
      { ...envoyDefaults, panicThresholdPercent: 0 },
    ),
    ['0/0', '0/77', '0/23'],
    'what rounding leaves is for a priority that has some',
  );
  t.end();
});

t.test('panic', (t) => {
  t.same(shape([[10, 4, 0]]), ['100/0 panic'], 'below half of the endpoints are healthy');
  t.same(shape([[10, 5, 0]]), ['100/0'], 'at the threshold there is none');
  t.same(shape([[10, 4, 1]]), ['80/20'], 'degraded endpoints count as available');
  t.same(shape([[10, 0, 0]]), ['100/0 panic'], 'nothing is available');
  t.same(
    shape([
      [10, 4, 0],
      [10, 10, 0],
    ]),
    ['56/0', '44/0'],
    'not while the other priority makes the whole available',
  );
  t.same(
    shape([
      [10, 1, 0],
      [10, 6, 0],
    ]),
    ['15/0 panic', '85/0'],
    'alone, when the whole falls short of a hundred percent',
  );
  t.same(
    shape([
      [10, 1, 0],
      [30, 1, 0],
    ]),
    ['25/0 panic', '75/0 panic'],
    'when all priorities panic the load follows their size',
  );
  t.same(shape([[10, 0, 0]], { ...envoyDefaults, panicThresholdPercent: 0 }), ['100/0'], 'a threshold of 0 is off');
  t.end();
});

t.test('priorities without endpoints take nothing', (t) => {
  t.same(shape([]), []);
  t.same(shape([[0, 0, 0]]), ['100/0 panic'], 'the only one keeps the load it cannot serve');
  t.same(
    shape([
      [0, 0, 0],
      [4, 4, 0],
    ]),
    ['0/0', '100/0'],
  );
  t.same(
    shape([
      [0, 0, 0],
      [4, 1, 0],
    ]),
    ['0/0 panic', '100/0 panic'],
  );
  t.end();
});

t.test('the load is always spread completely, and never on endpoints that are not there', (t) => {
  const counts = fc
    .record({ total: fc.nat(20), healthyShare: fc.nat(100), degradedShare: fc.nat(100) })
    .map(({ total, healthyShare, degradedShare }): PriorityCounts => {
      const healthy = Math.floor((total * healthyShare) / 100);
      return { total, healthy, degraded: Math.floor(((total - healthy) * degradedShare) / 100) };
    });
  fc.assert(
    fc.property(
      fc.array(counts, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 100, max: 200 }),
      fc.nat(100),
      (priorities, overprovisioningFactorPercent, panicThresholdPercent) => {
        const loads = spreadLoad(priorities, { overprovisioningFactorPercent, panicThresholdPercent });
        const total = loads.reduce((sum, load) => sum + load.healthyPercent + load.degradedPercent, 0);
        if (total !== 100) return false;
        if (priorities.every(({ total }) => total === 0)) return true;
        const isServed = (wanted: number, available: number, all: number, isInPanic: boolean) =>
          wanted === 0 || (isInPanic ? all > 0 : available > 0);
        const isNothingUsable = panicThresholdPercent === 0 && priorities.every((c) => c.healthy + c.degraded === 0);
        return (
          isNothingUsable ||
          loads.every((load, priority) => {
            const { total, healthy, degraded } = priorities[priority]!;
            return (
              load.healthyPercent >= 0 &&
              load.degradedPercent >= 0 &&
              isServed(load.healthyPercent, healthy, total, load.isInPanic) &&
              isServed(load.degradedPercent, degraded, total, load.isInPanic)
            );
          })
        );
      },
    ),
  );
  t.end();
});
