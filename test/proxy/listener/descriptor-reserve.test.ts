import { openSync } from 'node:fs';
import t from 'tap';
import { close, duplicate } from '../../../native/socket.ts';
import { DescriptorReserve } from '../../../proxy/listener/descriptor-reserve.ts';
import { startReactor, turns } from '../../support/reactor-fixtures.ts';

t.test('an eighth of the descriptors is kept, at least 8 and at most 1024', (t) => {
  const reactor = startReactor(t);
  const thresholdOf = (limit: number) => new DescriptorReserve({ reactor, limit, onChange: () => undefined }).threshold;
  t.equal(thresholdOf(32), 24);
  t.equal(thresholdOf(1024), 896);
  t.equal(thresholdOf(1_048_576), 1_047_552);
  t.end();
});

t.test('accepting pauses at a high descriptor and goes on when one below is free', async (t) => {
  const reactor = startReactor(t);
  const changes: boolean[] = [];
  const resumed = Promise.withResolvers<void>();
  const highest = openSync('/dev/null', 'r');
  // Whatever this process opens next has a higher number than the threshold.
  const limit = highest + 9;
  const reserve = new DescriptorReserve({
    reactor,
    limit,
    onChange: (isShort) => {
      changes.push(isShort);
      if (!isShort) resumed.resolve();
    },
  });
  reserve.onAccepted(reserve.threshold - 1);
  t.same(changes, []);
  const above = duplicate(highest);
  reserve.onAccepted(above);
  reserve.onAccepted(above);
  t.same(changes, [true], 'said once');
  t.ok(reserve.isShort);
  await turns(reactor);
  t.same(changes, [true], 'the free descriptors are all above');
  close(highest);
  await resumed.promise;
  close(above);
  t.same(changes, [true, false]);
  t.notOk(reserve.isShort);
});
