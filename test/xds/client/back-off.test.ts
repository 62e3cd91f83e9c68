import fc from 'fast-check';
import t from 'tap';
import { BackOff } from '../../../xds/client/back-off.ts';

t.test('limits double from half a second to half a minute, and begin again after a response', async (t) => {
  const backOff = new BackOff(() => 1);
  t.same(
    [1, 2, 3, 4, 5, 6, 7, 8].map(() => backOff.afterFailure()),
    [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000],
  );
  backOff.reset();
  t.equal(backOff.afterFailure(), 500);
});

t.test('a wait is anything from nothing to the limit', async () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(20), (chance, failures) => {
      const backOff = new BackOff(() => chance);
      for (let i = 0; i < failures; i++) backOff.afterFailure();
      const waitMs = backOff.afterFailure();
      return waitMs === chance * Math.min(500 * 2 ** failures, 30_000);
    }),
  );
});

t.test('a clean end waits for nothing, once in half a minute', async (t) => {
  const backOff = new BackOff(() => 1);
  t.same([backOff.afterCleanEnd(5), backOff.afterCleanEnd(5), backOff.afterCleanEnd(29_999)], [0, 500, 1000]);
  t.same([backOff.afterCleanEnd(30_000), backOff.afterCleanEnd(5)], [0, 2000]);
});
