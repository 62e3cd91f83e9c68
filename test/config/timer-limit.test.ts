import t from 'tap';
import { longestTimerMs } from '../../config/timer-limit.ts';

t.test('it is the longest delay that a timer keeps: Node takes one more for a millisecond, and warns', async (t) => {
  const warned: string[] = [];
  const note = ({ name }: Error): void => void warned.push(name);
  process.on('warning', note);
  t.teardown(() => process.off('warning', note));
  const timers = [setTimeout(t.fail, longestTimerMs)];
  await new Promise(setImmediate);
  t.same(warned, []);
  timers.push(setTimeout(() => undefined, longestTimerMs + 1));
  await new Promise(setImmediate);
  t.same(warned, ['TimeoutOverflowWarning']);
  for (const timer of timers) clearTimeout(timer);
});
