import t from 'tap';
import { NativeBuffer } from '../../../../native/native-buffer.ts';
import { close, send } from '../../../../native/socket.ts';
import { HeldOutput } from '../../../../proxy/engine/uws/held-output.ts';
import { connectedPair } from '../../../support/socket-pair.ts';

/** In how many turns it was possible. */
function turnsUntilQuiet(held: HeldOutput): number {
  let turns = 0;
  while (held.isPossible(1_000_000)) turns++;
  return turns;
}

t.test('bytes that follow in a turn with room begin the wait again', (t) => {
  const [one, other] = connectedPair();
  const buffer = new NativeBuffer(100);
  const held = new HeldOutput(one);
  const quiet = turnsUntilQuiet(held);
  t.ok(quiet > 1, 'one turn may be of an event from before');
  for (let turn = 1; turn < quiet; turn++) held.isPossible(1_000_000);
  send(one, buffer, 0, 100);
  t.equal(turnsUntilQuiet(held), quiet);
  t.equal(turnsUntilQuiet(held), quiet, 'what is asked of later is a question of its own');
  close(one);
  close(other);
  t.end();
});

t.test('little is never held', (t) => {
  const [one, other] = connectedPair();
  t.equal(new HeldOutput(one).isPossible(1000), false);
  close(one);
  close(other);
  t.end();
});
