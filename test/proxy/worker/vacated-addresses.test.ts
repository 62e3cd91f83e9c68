// Addresses that a listener leaves, until workers have left them: who may come, and with which sockets.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { close } from '../../../native/socket.ts';
import { at, listeningAt, makeOpenListeners, outcomeAt, portOf } from '../../support/open-listeners.ts';

t.test('an address of one socket can be had again before workers have left it, and not longer', (t) => {
  const { listeners, place, remove, owned } = makeOpenListeners(t);
  place(at(0, { reusePort: false }));
  const port = portOf(listeners);
  remove('http');
  const config = { ...at(port, { reusePort: false, backlog: 9 }), name: 'other' };
  const socket = listeningAt(port);
  t.equal(listeners.prepare(config), undefined);
  listeners.closeVacated();
  t.match(place(config), { kind: 'open' });
  t.same(listeningAt(port), socket, 'it is the same one');
  place({ ...at(0), name: 'other' });
  t.match(place({ ...config, name: 'third' }), { kind: 'open' });
  t.same(listeningAt(port), socket, 'also of a listener that went to another address');
  remove('third');
  for (const descriptor of owned.splice(0)) close(descriptor);
  t.same(listeningAt(port), socket);
  listeners.closeVacated();
  t.same(listeningAt(port), []);
  t.end();
});

t.test('a process that stops keeps nothing of addresses that were left', (t) => {
  const { listeners, place, remove, owned } = makeOpenListeners(t);
  place(at(0, { reusePort: false }));
  const port = portOf(listeners);
  remove('http');
  for (const descriptor of owned.splice(0)) close(descriptor);
  t.equal(listeningAt(port).length, 1);
  listeners.stop(false);
  t.same(listeningAt(port), []);
  t.end();
});

t.test('who comes to an address that is still to be left has room there', (t) => {
  const { listeners, place, remove, owned } = makeOpenListeners(t);
  place(at(0, { reusePort: false }));
  const port = portOf(listeners);
  const one = at(port, { reusePort: false });
  remove('http');
  place(one);
  const socket = listeningAt(port);
  const next = { ...one, name: 'next' };
  t.equal(listeners.prepare(next), undefined);
  t.same(listeningAt(port), socket, 'on the socket that is there');
  const moved = at(0, { reusePort: false });
  t.match(place(next, [], moved), { kind: 'open' }, 'also where the other one moves in the same delta, behind it');
  const shared = { ...next, name: 'shared', reusePort: true };
  t.equal(listeners.prepare(shared), undefined);
  t.match(place(shared, ['next']), { kind: 'open' });
  t.equal(listeningAt(port).length, 2, 'each worker has its own again, of which the first is the one that was there');
  t.ok(listeningAt(port).includes(socket[0]!));
  const alone = { ...one, name: 'alone' };
  t.equal(listeners.prepare(alone), undefined);
  t.match(place(alone, ['shared']), { kind: 'open' });
  remove('alone');
  for (const descriptor of owned.splice(0)) close(descriptor);
  listeners.closeVacated();
  t.same(listeningAt(port), [], 'nothing is kept');
  t.end();
});

t.test('who comes after one that came and went before workers left the address has room there, too', (t) => {
  const { listeners, place, remove, owned } = makeOpenListeners(t);
  place(at(0, { reusePort: false }));
  const port = portOf(listeners);
  remove('http');
  const next = { ...at(port, { reusePort: false }), name: 'next' };
  t.equal(listeners.prepare(next), undefined);
  t.equal(listeners.prepare({ ...next, freebind: true }), undefined, 'in a newer state');
  listeners.discard('next');
  t.equal(listeners.prepare({ ...next, name: 'other' }), undefined, 'or another one');
  listeners.discard('other');
  for (const descriptor of owned.splice(0)) close(descriptor);
  listeners.closeVacated();
  t.same(listeningAt(port), [], 'nothing is kept');
  t.end();
});

t.test('who fails at another address leaves an address of one socket to who has it', async (t) => {
  const { listeners, place, remove, owned } = makeOpenListeners(t);
  const taken = makeOpenListeners(t);
  taken.place(at(0, { reusePort: false }));
  place(at(0, { reusePort: false }));
  const port = portOf(listeners);
  remove('http');
  const next = { ...at(port, { reusePort: false }), name: 'next' };
  const additionalAddresses = [at(portOf(taken.listeners)).address];
  const both = { ...next, keepAlive: { probes: 3 }, additionalAddresses };
  t.match(listeners.prepare(both), { reason: /in use/ });
  t.match(place(both), { reason: /in use/ });
  for (const descriptor of owned.splice(0)) close(descriptor);
  t.equal(await outcomeAt(port), 'connect');
  t.equal(listeners.prepare(next), undefined, 'and to who comes to it alone');
  listeners.discard('next');
  t.equal(await outcomeAt(port), 'connect');
  listeners.closeVacated();
  t.equal(await outcomeAt(port), 'ECONNREFUSED', 'nothing is kept');
});

t.test('of a path that was left twice who comes has the socket that it leads to', async (t) => {
  const { listeners, place, remove, owned } = makeOpenListeners(t);
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'socket');
  const config = at(0, { address: { kind: 'pipe', path } });
  place(config);
  place({ ...config, freebind: true });
  remove('http');
  const before = owned.splice(0);
  t.equal(listeners.prepare(config), undefined);
  t.match(place(config), { kind: 'open' });
  for (const descriptor of before) close(descriptor);
  listeners.closeVacated();
  const client = connect(path);
  await once(client, 'connect');
  client.destroy();
});

for (const [left, next] of [
  ['0.0.0.0', '127.0.0.1'],
  ['127.0.0.1', '0.0.0.0'],
] as const) {
  t.test(`there is room at ${next} beside one socket at ${left} that is still to be left`, async (t) => {
    const alone = (name: string, ip: string, port: number, reusePort = false): Listener => ({
      ...at(port, { reusePort, address: { kind: 'ip', ip, port } }),
      name,
    });
    for (const reusePort of [false, true]) {
      const { listeners, place, remove, owned } = makeOpenListeners(t);
      place(alone('http', left, 0));
      const port = portOf(listeners);
      const config = alone('next', next, port, reusePort);
      t.equal(listeners.prepare(config), undefined, 'before its listener has left');
      listeners.discard('next');
      remove('http');
      t.equal(listeners.prepare(config), undefined, 'before workers have');
      const before = owned.splice(0);
      t.match(place(config), { kind: 'open' });
      for (const descriptor of before) close(descriptor);
      listeners.closeVacated();
      t.equal(await outcomeAt(port), 'connect');
    }
  });
}

t.test('one socket has room beside those of workers that have not left yet', (t) => {
  const { listeners, place, remove, owned } = makeOpenListeners(t);
  place(at(0));
  const port = portOf(listeners);
  const shared = at(port);
  place({ ...shared, name: 'shared' });
  remove('http');
  remove('shared');
  t.equal(listeners.prepare(at(port, { reusePort: false })), undefined);
  listeners.discard('http');
  listeners.closeVacated();
  t.match(listeners.prepare(at(port, { reusePort: false })), { reason: /in use/ }, 'not beside those of others');
  for (const descriptor of owned.splice(0)) close(descriptor);
  t.equal(listeners.prepare(at(port, { reusePort: false })), undefined);
  listeners.discard('http');
  t.same(listeningAt(port), []);
  t.end();
});
