import t from 'tap';
import { emptySnapshot } from '../../../config/snapshot.ts';
import { missingParts } from '../../../proxy/admin/missing-parts.ts';
import { clusterOf } from '../../support/data-plane.ts';

t.test('a snapshot is looked through once, the next one anew', async (t) => {
  let looked = 0;
  const clusters = new Map([['a', clusterOf('a', [])]]);
  const counting = Object.assign(new Map(clusters), {
    [Symbol.iterator]: () => {
      looked++;
      return clusters.entries();
    },
  });
  const snapshot = { ...emptySnapshot, clusters: counting };
  const missing = [{ path: 'clusters["a"]', message: 'its members are not known' }];
  for (let count = 0; count < 3; count++) t.strictSame(missingParts({ snapshot, bootstrap: null }), missing);
  t.equal(looked, 1);
  t.strictSame(missingParts({ snapshot: { ...snapshot }, bootstrap: null }), missing);
  t.equal(looked, 2);
});

t.test('before the first snapshot nothing is missing', async (t) => {
  t.same(missingParts({ snapshot: null, bootstrap: null }), []);
});
