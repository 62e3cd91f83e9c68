// A request's body between who produces it and who sends it: whole, in order, and never much of it in memory.

import { once } from 'node:events';
import t from 'tap';
import { RequestBody } from '../../../../proxy/engine/undici/request-body.ts';

t.test('it is blocked until somebody reads, and again when nobody does', async (t) => {
  const { promise: drained, resolve } = Promise.withResolvers<void>();
  const body = new RequestBody(resolve);
  t.ok(body.isBlocked, 'undici has not begun');
  let received = 0;
  body.stream.on('data', (chunk: Buffer) => (received += chunk.length));
  await drained;
  t.notOk(body.isBlocked);
  body.stream.pause();
  let pushed = 0;
  for (; !body.isBlocked; pushed += 10_000) body.push(Buffer.alloc(10_000));
  t.ok(pushed <= 80_000, `${pushed} bytes are kept at most`);
  const ended = once(body.stream, 'end');
  body.stream.resume();
  body.end();
  await ended;
  t.equal(received, pushed);
});

t.test('who was held up is told once bytes are taken again', async (t) => {
  let drains = 0;
  const body = new RequestBody(() => drains++);
  body.stream.pause();
  body.push(Buffer.alloc(100_000));
  t.equal(drains, 0);
  body.stream.on('data', () => undefined);
  body.stream.resume();
  const ended = once(body.stream, 'end');
  while (drains === 0) await new Promise((resolve) => setImmediate(resolve));
  t.notOk(body.isBlocked);
  body.end();
  await ended;
});
