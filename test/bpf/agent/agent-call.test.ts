import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { AgentCall } from '../../../bpf/agent/agent-call.ts';
import { writeReply } from '../../../bpf/agent/enrolment-protocol.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { shortPath } from '../../support/node-agent.ts';
import { onlyItems } from '../../support/only-items.ts';

const ready = () => ({ request: { kind: 'ready' as const } });
const counters = () => ({ request: { kind: 'counters' as const } });

t.test('questions are answered one at a time, in their order', async (t) => {
  let count = 0;
  const { call } = await callTo(t, (socket) => {
    socket.write(writeReply({ kind: 'counters', counters: { count: ++count } }));
  });
  const replies = await Promise.all([call.ask(ready), call.ask(counters)]);
  t.match(replies, onlyItems({ counters: { count: 1 } }, { counters: { count: 2 } }));
  call.close();
});

t.test('an agent that goes away answers what was asked with that, and says so once', async (t) => {
  const { call, lost } = await callTo(t, (socket) => socket.destroy());
  t.match(await call.ask(ready), { kind: 'refused', reason: /ended the connection/ });
  t.match(await call.ask(ready), { kind: 'refused', reason: /ended the connection/ });
  t.equal(lost.length, 1);
});

t.test('an answer that is none is refused', async (t) => {
  const { call } = await callTo(t, (socket) => socket.write('hello\n'));
  t.match(await call.ask(ready), { kind: 'refused', reason: /not JSON/ });
  call.close();
});

t.test('where nobody serves, the reason comes with the way out', (t) => {
  const call = AgentCall.open('/nowhere/agent.sock', () => t.fail('nothing was lost'));
  t.match(call, { reason: /cannot be reached: no such file/, wayOut: /outrigger bpf agent/ });
  t.end();
});

/** A call to an agent that does `answer` whenever something is asked. */
async function callTo(t: Test, answer: (socket: Socket) => void) {
  const path = shortPath(t);
  const server = createServer((socket) => socket.on('data', () => answer(socket))).listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const lost: string[] = [];
  const call = AgentCall.open(path, (reason) => lost.push(reason));
  if (isFailure(call)) throw new Error(call.reason);
  return { call, lost };
}
