import t from 'tap';
import { lastRefusal } from '../../../proxy/admin/last-refusal.ts';

const ack = (atMs: number) => ({ version: '1', atMs });
const nack = (atMs: number) => ({ version: '2', atMs, text: 'no' });

t.test('a type is refused while no acknowledgement came after the refusal', (t) => {
  t.equal(lastRefusal({}), undefined);
  t.equal(lastRefusal({ lastAck: ack(1) }), undefined);
  t.same(lastRefusal({ lastNack: nack(1) }), nack(1));
  t.same(lastRefusal({ lastAck: ack(1), lastNack: nack(2) }), nack(2));
  t.equal(lastRefusal({ lastAck: ack(2), lastNack: nack(1) }), undefined);
  t.same(lastRefusal({ lastAck: ack(2), lastNack: nack(2) }), nack(2), 'within one millisecond');
  t.end();
});
