import t from 'tap';
import { resourcesOf } from '../../control-plane/served-snapshot.ts';
import { inSendingOrder, TypeSubscription } from '../../control-plane/type-subscription.ts';
import { serviceText, snapshotOfText, typeUrls } from '../support/control-plane-fixtures.ts';

t.test('types are sent in the order in which one needs the other, unknown ones last', async (t) => {
  const asked = ['x.Y', 'rds', 'lds', 'eds', 'cds'].map((name) => typeUrls[name] ?? name);
  const subscriptions = new Map(asked.map((typeUrl) => [typeUrl, new TypeSubscription(typeUrl)]));
  t.same(
    inSendingOrder(subscriptions).map(({ typeUrl }) => typeUrl),
    asked.toReversed(),
  );
});

t.test('a change is taken once', async (t) => {
  const snapshot = snapshotOfText(serviceText('a'));
  const type = new TypeSubscription(typeUrls['cds']!);
  t.equal(type.takeChange(snapshot), resourcesOf(snapshot, type.typeUrl));
  t.equal(type.takeChange(snapshot), undefined);
  type.markChanged();
  t.ok(type.takeChange(snapshot));
  t.equal(type.takeChange(snapshotOfText(serviceText('a', 2), snapshot)), undefined, 'only endpoints changed');
  t.ok(type.takeChange(snapshotOfText(serviceText('b'))));
});

t.test('answers that never come are not waited for without end', async (t) => {
  const type = new TypeSubscription('u');
  for (let nonce = 1; nonce <= 100; nonce++) type.onSent(String(nonce), `v${nonce}`);
  t.equal(type.onAnswer('1', undefined, 5), '');
  t.equal(type.status().lastAck, undefined);
  t.equal(type.onAnswer('100', undefined, 5), 'v100');
  t.same(type.status(), {
    typeUrl: 'u',
    isWildcard: false,
    subscribed: [],
    sentVersion: 'v100',
    lastAck: { version: 'v100', atMs: 5 },
  });
});
