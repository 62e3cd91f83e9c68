import { once } from 'node:events';
import { fstatSync, readdirSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { Enrolment, enrol } from '../../../bpf/agent/agent-client.ts';
import { writeReply } from '../../../bpf/agent/enrolment-protocol.ts';
import { defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { close } from '../../../native/socket.ts';
import { shortPath } from '../../support/node-agent.ts';
import { connectedPair } from '../../support/socket-pair.ts';

const enrolled = writeReply({ kind: 'enrolled', pod: 'p', cgroup: '/p' });

t.test('an agent that goes away while it is asked again is asked once more, not twice', async (t) => {
  const socketPath = shortPath(t);
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    // The second one asks an agent that ends with the question.
    socket.on('data', () => (sockets.length === 2 ? socket.destroy() : socket.write(enrolled)));
  }).listen(socketPath);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const states: string[] = [];
  const back = Promise.withResolvers<void>();
  const enrolment = await enrol({
    socketPath,
    settings: defaultCaptureSettings,
    listeners: {},
    againAfterMs: 1,
    onChange: ({ kind }) => {
      states.push(kind);
      if (kind === 'enrolled' && states.length > 1) back.resolve();
    },
  });
  if (isFailure(enrolment)) throw new Error(enrolment.reason);
  // Waiting to ask again keeps no process alive.
  const alive = setInterval(() => {}, 60_000);
  t.teardown(() => clearInterval(alive));
  sockets[0]!.destroy();
  await back.promise;
  t.same(states, ['enrolled', 'lost', 'lost', 'enrolled']);
  enrolment.close();
});

t.test('a socket that cannot be kept is told, and nobody is asked', async (t) => {
  const options = { socketPath: shortPath(t), settings: defaultCaptureSettings, listeners: { ipv4: -1 } };
  t.match(await enrol(options), { reason: /^cannot keep a listening socket for the node agent: / });
});

t.test(
  'of sockets that are set while another question is asked the last is handed over, and none that was closed',
  async (t) => {
    const asked: string[] = [];
    const socketPath = shortPath(t);
    const server = createServer((socket) =>
      socket.on('data', (line) => {
        asked.push(line.toString());
        socket.write(asked.length === 1 ? enrolled : writeReply({ kind: 'done' }));
      }),
    ).listen(socketPath);
    await once(server, 'listening');
    t.teardown(() => server.close());
    const enrolment = new Enrolment({ socketPath, settings: defaultCaptureSettings, listeners: {} });
    const [first, second] = connectedPair();
    t.equal(await enrolment.setListener('ipv4', first), undefined, 'kept until the pod is enrolled');
    const outcomes = [enrolment.open(), enrolment.setListener('ipv4', second), enrolment.setListener('ipv4', first)];
    t.same(await Promise.all(outcomes), [undefined, undefined, undefined]);
    t.matchOnly(asked, [/"listeners":\["ipv4"\]/, /"listeners":\["ipv4"\]/, /"listeners":\["ipv4"\]/]);
    const late = enrolment.setListener('ipv6', second);
    enrolment.dropListeners();
    t.equal(await late, undefined);
    t.match(asked[3], /"listeners":\[\]/, 'what was let go meanwhile is not named');
    t.same([first, second].map(descriptorsOf), [1, 1], 'no duplicate is left');
    enrolment.close();
    for (const fd of [first, second]) close(fd);
  },
);

/** How many this process has of the same socket. */
function descriptorsOf(fd: number): number {
  const sockets = readdirSync('/proc/self/fd').map((name) =>
    statSync(`/proc/self/fd/${name}`, { throwIfNoEntry: false }),
  );
  return sockets.filter((each) => each?.ino === fstatSync(fd).ino).length;
}

t.test('an agent that is not there may be asked again', async (t) => {
  const socketPath = shortPath(t);
  const enrolment = new Enrolment({ socketPath, settings: defaultCaptureSettings, listeners: {} });
  t.match(await enrolment.open(), { reason: /cannot be reached/ });
  const server = createServer((socket) => socket.on('data', () => socket.write(enrolled))).listen(socketPath);
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.equal(await enrolment.open(), undefined);
  t.equal(enrolment.pod, 'p');
  enrolment.close();
});

t.test('sockets are let go while the pod stays enrolled', async (t) => {
  const socketPath = shortPath(t);
  const server = createServer((socket) => socket.on('data', () => socket.write(enrolled))).listen(socketPath);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
  const enrolment = await enrol({ socketPath, settings: defaultCaptureSettings, listeners: { ipv4: fd } });
  if (isFailure(enrolment)) throw new Error(enrolment.reason);
  listener.close();
  await once(listener, 'close');
  enrolment.dropListeners();
  const refused = connect(port, '127.0.0.1');
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  t.equal(error.code, 'ECONNREFUSED', 'nobody listens any more');
  t.equal(enrolment.pod, 'p');
  enrolment.close();
});
