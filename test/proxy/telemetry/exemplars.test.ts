import t from 'tap';
import { Exemplars } from '../../../proxy/telemetry/exemplars.ts';
import { outcomeOf, requestNames } from '../../../proxy/telemetry/request-stats.ts';

function kept(route: string, durationMs: number) {
  const key = { service: 's', route, method: 'GET' };
  return { key, status: 200, grpcStatus: -1, durationMs, traceId: `${route}-${durationMs}`, spanId: '', wallMs: 0 };
}

function shown(exemplars: Exemplars, route: string): (string | undefined)[] {
  const names = requestNames({ service: 's', route, method: 'GET' }, outcomeOf(200, -1));
  return Array.from(exemplars.of(names), (each) => each?.traceId);
}

t.test('the last trace of each bucket is kept, in the buckets that are configured', (t) => {
  const buckets = [
    { prefix: 's.a.', bounds: [10, 20] },
    { prefix: '', bounds: [100] },
  ];
  const exemplars = new Exemplars({ maxSeries: 5, buckets });
  for (const durationMs of [10, 9, 11, 21]) exemplars.noteKept(kept('a', durationMs));
  exemplars.noteKept(kept('b', 101));
  t.strictSame(shown(exemplars, 'a'), ['a-9', 'a-11', 'a-21']);
  t.strictSame(shown(exemplars, 'b'), [undefined, 'b-101']);
  t.strictSame(shown(exemplars, 'c'), []);
  t.end();
});

t.test('of too many series the one without a kept trace for longest is forgotten', (t) => {
  const exemplars = new Exemplars({ maxSeries: 2, buckets: [] });
  for (const route of ['a', 'b', 'a', 'c']) exemplars.noteKept(kept(route, 0));
  t.strictSame(shown(exemplars, 'a'), ['a-0']);
  t.strictSame(shown(exemplars, 'b'), []);
  t.strictSame(shown(exemplars, 'c'), ['c-0']);
  t.end();
});
