import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { accept, close, duplicate } from '../../../native/socket.ts';
import type { WantedAddress } from '../../../proxy/listener/inherited-sockets.ts';
import { OpenListeners, type OpenListenersOptions } from '../../../proxy/worker/open-listeners.ts';
import { onlyItems } from '../../support/only-items.ts';
import { at, listeningAt, makeOpenListeners, outcomeAt, portOf } from '../../support/open-listeners.ts';
import { openDescriptors } from '../../support/reactor-fixtures.ts';

t.test('a new listener opens, a changed one keeps its sockets or is the same one', (t) => {
  const { listeners, place, remove } = makeOpenListeners(t);
  t.match(place(at(0)), { kind: 'open' });
  const bound = listeners.bound();
  t.matchOnly(bound, [{ name: 'http', address: /^127\.0\.0\.1:[1-9]/ }]);
  t.same(place(at(0, { backlog: 5 })), { kind: 'take-over', from: 'http' });
  t.same(place(at(0, { backlog: 5, filterChains: [] })), { kind: 'filter-chains', kept: [] });
  t.same(listeners.bound(), bound);
  remove('http');
  t.same(listeners.bound(), []);
  t.match(place(at(0)), { kind: 'open' }, 'after its removal it is new');
  t.end();
});

t.test('each worker has sockets of its own, and a limit is one memory for all', (t) => {
  const { listeners, owned } = makeOpenListeners(t);
  const limited = at(0, { connectionLimit: 3 });
  const placed = listeners.place({ set: [['http', limited]], removed: [] }).get('http') as {
    kind: string;
    sockets: { descriptors: number[]; limit: object };
  }[];
  owned.push(...placed.flatMap(({ sockets }) => sockets.descriptors));
  t.equal(new Set(owned).size, 2);
  t.match(placed[0]!.sockets.limit, { max: 3 });
  t.equal(placed[0]!.sockets.limit, placed[1]!.sockets.limit);
  const after = listeners.place({ set: [['http', { ...limited, connectionLimit: 4 }]], removed: [] });
  const inEach = { kind: 'take-over', limit: { max: 4 } };
  t.match(after.get('http'), onlyItems(inEach, inEach));
  t.end();
});

t.test('a listener of another name takes over the sockets of one that leaves', (t) => {
  const { listeners, place } = makeOpenListeners(t);
  place(at(0, { reusePort: false }));
  const address = listeners.bound()[0]!.address;
  const before = openDescriptors();
  const renamed = { ...at(0, { reusePort: false }), name: 'renamed' };
  t.equal(listeners.prepare(renamed), undefined);
  const third = { ...renamed, name: 'third' };
  t.same(place(renamed, ['http'], third), { kind: 'take-over', from: 'http' });
  t.match(listeners.bound(), onlyItems({ name: 'renamed', address }, { name: 'third' }));
  t.equal(openDescriptors(), before + 3, 'only the third has its own, and one is kept of it');
  t.end();
});

t.test('a listener that was prepared has its sockets, and takes connections once it is placed', async (t) => {
  const { listeners, place, remove, owned } = makeOpenListeners(t);
  place(at(0));
  const port = portOf(listeners);
  remove('http');
  for (const descriptor of owned.splice(0)) close(descriptor);
  t.equal(listeners.prepare(at(port)), undefined);
  t.equal(await outcomeAt(port), 'ECONNREFUSED', 'nobody would serve it');
  const before = openDescriptors();
  t.equal(listeners.prepare(at(port, { backlog: 9 })), undefined, 'the same sockets serve this one too');
  t.match(place(at(port, { backlog: 9 })), { kind: 'open' });
  t.equal(openDescriptors(), before, 'they are the same sockets still');
  t.equal(listeningAt(port).length, 2, 'one for each worker');
  t.equal(await outcomeAt(port), 'connect');
});

t.test('beside sockets that serve, those of who is to come get no connection', async (t) => {
  const { listeners, place, owned } = makeOpenListeners(t);
  place(at(0));
  const port = portOf(listeners);
  const more = { ...at(port), additionalAddresses: [at(0).address] };
  t.equal(listeners.prepare(more), undefined);
  const outcomes = [];
  for (let count = 0; count < 32; count++) outcomes.push(await outcomeAt(port));
  t.same(new Set(outcomes), new Set(['connect']));
  // The kernel deals by chance: of 32 all would come to one half of four queues once in 4 billion times.
  let accepted = 0;
  for (const descriptor of owned) {
    for (let connection = accept(descriptor); connection >= 0; connection = accept(descriptor)) {
      accepted++;
      close(connection);
    }
  }
  t.equal(accepted, 32, 'all are where they are served');
  listeners.discard('http');
});

t.test('what was prepared and is not wanted is closed', (t) => {
  const { listeners, place, remove } = makeOpenListeners(t);
  const before = openDescriptors();
  listeners.prepare(at(0));
  listeners.discard('http');
  listeners.discard('http');
  t.equal(openDescriptors(), before);
  listeners.prepare(at(0));
  listeners.prepare(at(0, { freebind: true }));
  remove('http');
  t.equal(openDescriptors(), before, 'another preparation replaces it, a removal ends it');
  place(at(0));
  const open = openDescriptors();
  listeners.prepare(at(0, { freebind: true }));
  listeners.prepare(at(0));
  t.equal(openDescriptors(), open, 'a change that is taken back needs nothing');
  listeners.prepare(at(0, { freebind: true }));
  place(at(0, { transparent: false, reusePort: false }));
  t.equal(openDescriptors(), open + 3, 'what is placed in its stead ends it too: two of workers, one that is kept');
  t.end();
});

t.test('a taken address is refused with it, and what was there goes on', (t) => {
  const { listeners, place } = makeOpenListeners(t);
  place(at(0, { reusePort: false }));
  const port = portOf(listeners);
  const other = makeOpenListeners(t);
  t.match(other.listeners.prepare(at(port)), { address: `127.0.0.1:${port}`, reason: /in use/ });
  other.place(at(0));
  const bound = other.listeners.bound();
  t.match(other.place(at(port)), { reason: /in use/ });
  t.same(other.listeners.bound(), bound);
  t.end();
});

t.test('other socket options at an address of one socket are refused in words, and what is there goes on', (t) => {
  const { listeners, place } = makeOpenListeners(t);
  const probe = makeOpenListeners(t);
  probe.place(at(0));
  const port = portOf(probe.listeners);
  probe.remove('http');
  for (const descriptor of probe.owned.splice(0)) close(descriptor);
  const one = at(port, { reusePort: false });
  place(one);
  const before = openDescriptors();
  const any = { ...one, name: 'any', address: { ...one.address, ip: '0.0.0.0' } as const };
  t.match(place(any), { address: `0.0.0.0:${port}`, reason: `listener http listens at 127.0.0.1:${port} already: ` });
  const refusal = {
    address: `127.0.0.1:${port}`,
    reason: /^listener http listens there already: unless both have enable_reuse_port, it must be removed/,
  };
  for (const changed of [{ ...one, freebind: true }, at(port), { ...one, additionalAddresses: [at(0).address] }]) {
    t.match(listeners.prepare(changed, one), refusal);
    t.match(place(changed), refusal, 'also where nobody asked before');
    t.match(place({ ...changed, name: 'renamed' }), refusal);
  }
  t.same(place({ ...one, backlog: 5 }), { kind: 'take-over', from: 'http' });
  t.equal(openDescriptors(), before);
  t.equal(listeners.prepare({ ...one, freebind: true, bindToPort: false }, one), undefined, 'it needs no socket');
  listeners.discard('http');
  listeners.place({ set: [], removed: ['http'] });
  t.equal(listeners.prepare({ ...one, freebind: true }), undefined, 'after its removal the address is free');
  t.match(place({ ...one, freebind: true }), { kind: 'open' });
  t.end();
});

/** As `makeOpenListeners`, of a process that may have a successor. */
function makeKeeping(t: Test, inherit?: OpenListenersOptions['inherit']) {
  const opened: number[] = [];
  const listeners = new OpenListeners(2, {
    keepsSockets: true,
    onOpened: (_, addresses) => opened.push(...addresses.flatMap(({ sockets }) => sockets)),
    ...(inherit && { inherit }),
  });
  t.teardown(() => listeners.stop(false));
  /** Workers close what they get, or not. */
  const place = (config: Listener, closes = true): number[] => {
    const placed = listeners.place({ set: [[config.name, config]], removed: [] }).get(config.name)!;
    if ('reason' in placed) throw new Error(placed.reason);
    const descriptors = placed.flatMap((each) => (each.kind === 'open' ? each.sockets.descriptors : []));
    if (closes) for (const descriptor of descriptors) close(descriptor);
    return descriptors;
  };
  return { listeners, place, opened };
}

const wantedOf = ({ address, ipv4Compatible, name }: Listener): WantedAddress => ({
  listener: name,
  address,
  ipv4Compatible,
});

t.test('sockets are kept for a successor as long as the listener is there', (t) => {
  const { listeners, place, opened } = makeKeeping(t);
  const before = openDescriptors();
  const config = at(0);
  place(config);
  t.equal(listeners.socketsAt(wantedOf(config)).length, 2, 'one for each worker, though these have closed theirs');
  t.same(listeners.socketsAt(wantedOf(config)), opened);
  t.equal(openDescriptors(), before + 2);
  place({ ...config, backlog: 5 });
  t.equal(listeners.socketsAt(wantedOf(config)).length, 2, 'a changed listener keeps them');
  place(at(0, { freebind: true }));
  t.equal(openDescriptors(), before + 2, 'others replace them');
  listeners.place({ set: [], removed: ['http'] });
  t.equal(openDescriptors(), before);
  t.same(listeners.socketsAt(wantedOf(config)), []);
  const later = { ...at(0), name: 'later' };
  listeners.prepare(later);
  t.equal(listeners.socketsAt(wantedOf(later)).length, 2, 'those that are prepared may listen next');
  listeners.discard('later');
  t.end();
});

t.test('a successor gets the one socket of an address that workers are still to leave, and once', (t) => {
  const { listeners, place, opened } = makeKeeping(t);
  const alone = at(0, { reusePort: false });
  place(alone);
  const address = { kind: 'ip', ip: '127.0.0.1', port: portOf(listeners) } as const;
  const next = { ...alone, name: 'next', address };
  listeners.place({ set: [], removed: ['http'] });
  t.same(listeners.socketsAt(wantedOf(next)), opened);
  t.equal(listeners.prepare(next), undefined);
  t.equal(listeners.socketsAt(wantedOf(next)).length, 1, 'who comes to it has the same socket');
  listeners.discard('next');
  listeners.closeVacated();
  t.same(listeners.socketsAt(wantedOf(next)), []);
  t.end();
});

t.test('a process that stops lets go of sockets and opens no more', (t) => {
  const { listeners, place } = makeKeeping(t);
  const before = openDescriptors();
  place(at(0, { trafficDirection: 'inbound' }));
  place({ ...at(0), name: 'other' });
  listeners.prepare({ ...at(0, { freebind: true }), name: 'prepared' });
  listeners.stop(true);
  t.equal(openDescriptors(), before + 4, 'of inbound listeners');
  listeners.stop(false);
  t.equal(openDescriptors(), before, 'of all');
  t.same(place({ ...at(0), name: 'late' }), [], 'it would take connections from its successor');
  t.equal(listeners.prepare({ ...at(0), name: 'later' }), undefined);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('a successor listens with the sockets of the process before, and connections that waited there', async (t) => {
  const former = makeKeeping(t);
  const config = at(0);
  former.place(config);
  const { address } = former.listeners.bound()[0]!;
  const client = connect(Number(address.split(':')[1]), '127.0.0.1');
  t.teardown(() => client.destroy());
  await once(client, 'connect');
  const inherit = (wanted: WantedAddress) => former.listeners.socketsAt(wanted).map((socket) => duplicate(socket));
  const next = makeKeeping(t, inherit);
  t.equal(next.listeners.prepare(config), undefined);
  const descriptors = next.place(config, false);
  former.listeners.stop(false);
  t.same(next.listeners.bound(), [{ name: 'http', address }]);
  const accepted = descriptors.map((descriptor) => accept(descriptor)).filter((descriptor) => descriptor >= 0);
  t.equal(accepted.length, 1);
  for (const descriptor of [...accepted, ...descriptors]) close(descriptor);
});
