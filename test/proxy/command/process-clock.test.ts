import t from 'tap';
import { processClock } from '../../../proxy/command/process-clock.ts';

t.test('its time does not go back', async (t) => {
  const before = processClock.nowMs();
  t.ok(processClock.nowMs() >= before);
});

t.test('what is scheduled comes once, in the order of the delays, unless it was called off', async (t) => {
  const came: string[] = [];
  const last = Promise.withResolvers<void>();
  processClock.schedule(2, () => {
    came.push('later');
    last.resolve();
  });
  processClock.schedule(0, () => came.push('soon'));
  const cancel = processClock.schedule(1, () => came.push('never'));
  cancel();
  await last.promise;
  t.same(came, ['soon', 'later']);
});
