import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { close } from '../../../native/socket.ts';
import { OpenListeners } from '../../../proxy/worker/open-listeners.ts';
import { answering } from '../../support/listener-fixtures.ts';
import { openDescriptors } from '../../support/reactor-fixtures.ts';

/** Listeners of two workers; the descriptors that workers would own are closed at the end. */
function make(t: Test) {
  const listeners = new OpenListeners(2);
  const owned: number[] = [];
  t.teardown(() => {
    for (const descriptor of owned) close(descriptor);
  });
  const place = (config: Listener) => {
    const placed = listeners.place(config);
    if ('reason' in placed) return placed.reason;
    for (const each of placed) if (each.kind === 'open') owned.push(...each.sockets.descriptors);
    return placed.map(({ kind }) => kind);
  };
  return { listeners, place, owned };
}

const portOf = (listeners: OpenListeners) => Number(listeners.bound()[0]?.address.split(':')[1]);
const at = (port: number, given: Partial<Listener> = {}) =>
  answering('http', 'x', { address: { kind: 'ip', ip: '127.0.0.1', port }, ...given });

t.test('a new listener opens, a changed one keeps its sockets or is the same one', (t) => {
  const { listeners, place } = make(t);
  t.same(place(at(0)), ['open', 'open']);
  const bound = listeners.bound();
  t.match(bound, [{ name: 'http', address: /^127\.0\.0\.1:[1-9]/ }]);
  t.same(place(at(0, { backlog: 5 })), ['take-over', 'take-over']);
  t.same(place(at(0, { backlog: 5, filterChains: [] })), ['filter-chains', 'filter-chains']);
  t.same(listeners.bound(), bound);
  listeners.remove('http');
  t.same(listeners.bound(), []);
  t.same(place(at(0)), ['open', 'open'], 'after its removal it is new');
  t.end();
});

t.test('a limit is one memory for all workers, made anew with the listener', (t) => {
  const { listeners } = make(t);
  const limited = at(0, { bindToPort: false, connectionLimit: 3 });
  const [one, other] = listeners.place(limited) as unknown as { sockets: { limit: object } }[];
  t.match(one!.sockets.limit, { max: 3 });
  t.equal(one!.sockets.limit, other!.sockets.limit);
  const [after] = listeners.place({ ...limited, connectionLimit: 4 }) as unknown as { limit: object }[];
  t.match(after!.limit, { max: 4 });
  t.end();
});

t.test('a listener that was prepared accepts into its backlog, and is placed on those sockets', async (t) => {
  const { listeners, place, owned } = make(t);
  place(at(0));
  const port = portOf(listeners);
  listeners.remove('http');
  for (const descriptor of owned.splice(0)) close(descriptor);
  t.equal(listeners.prepare(at(port)), undefined);
  const before = openDescriptors();
  const client = connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  await once(client, 'connect');
  t.equal(listeners.prepare(at(port, { backlog: 9 })), undefined, 'the same sockets serve this one too');
  t.same(place(at(port, { backlog: 9 })), ['open', 'open']);
  t.equal(openDescriptors(), before + 1, 'nothing but the client was opened');
});

t.test('what was prepared and is not wanted is closed', (t) => {
  const { listeners, place } = make(t);
  const before = openDescriptors();
  listeners.prepare(at(0));
  listeners.discard('http');
  listeners.discard('http');
  t.equal(openDescriptors(), before);
  listeners.prepare(at(0));
  listeners.prepare(at(0, { freebind: true }));
  listeners.remove('http');
  t.equal(openDescriptors(), before, 'another preparation replaces it, a removal ends it');
  place(at(0));
  const open = openDescriptors();
  listeners.prepare(at(0, { freebind: true }));
  listeners.prepare(at(0));
  t.equal(openDescriptors(), open, 'a change that is taken back needs nothing');
  t.end();
});

t.test('a taken address is refused with it, and what was there goes on', (t) => {
  const { listeners, place } = make(t);
  place(at(0, { reusePort: false }));
  const port = portOf(listeners);
  const other = make(t);
  t.match(other.listeners.prepare(at(port)), { address: `127.0.0.1:${port}`, reason: /in use/ });
  other.place(at(0));
  const bound = other.listeners.bound();
  t.match(other.place(at(port)), /in use/);
  t.same(other.listeners.bound(), bound);
  t.end();
});
