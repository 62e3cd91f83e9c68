// One turn of the reactor around the callbacks of one event.

import t from 'tap';
import { LibraryTurn } from '../../../../proxy/engine/undici/library-turn.ts';
import type { OutputBuffer } from '../../../../proxy/http/http1/output-buffer.ts';
import type { Reactor } from '../../../../proxy/reactor/reactor.ts';

function makeTurn() {
  const events: string[] = [];
  const reactor = { enter: () => events.push('enter'), leave: () => events.push('leave') } as unknown as Reactor;
  const output = { flush: () => events.push('flush') } as unknown as OutputBuffer;
  return { events, turn: new LibraryTurn(reactor, output) };
}

t.test('callbacks that follow each other are one turn, and what they wrote leaves once', async (t) => {
  const { events, turn } = makeTurn();
  turn.enter();
  turn.enter();
  t.same(events, ['enter']);
  await Promise.resolve();
  t.same(events, ['enter', 'flush', 'leave']);
  turn.enter();
  await Promise.resolve();
  t.same(events.slice(3), ['enter', 'flush', 'leave'], 'the next event has a turn of its own');
});
