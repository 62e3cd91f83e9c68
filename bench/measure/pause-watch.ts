// One core's watchman, a program of its own: wakes every millisecond, above everything else on its core, and notes when it
// could not. Prints `ready`, and at the end of its standard input what it saw, as JSON.
import { monotonicMs } from './monotonic-clock.ts';
import { PauseLog } from './pause-log.ts';

const log = new PauseLog();
let over = false;
process.stdin.on('end', () => {
  over = true;
  process.stdout.write(JSON.stringify(log.pauses));
});
process.stdin.resume();
process.stdout.write('ready\n');

function turn(): void {
  log.wake(monotonicMs(performance.now()));
  if (!over) setTimeout(turn, 1);
}
turn();
