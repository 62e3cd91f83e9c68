import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { openListener } from '../../../proxy/listener/listener-opening.ts';
import { listenerManagerStats, listenerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { ListenerTable } from '../../../proxy/worker/listener-table.ts';
import type { ListenerPlacement } from '../../../proxy/worker/messages.ts';
import { answering, makeListenerBench } from '../../support/listener-fixtures.ts';
import { nextTurn, RawClient } from '../../support/raw-client.ts';

function makeTable(t: Test, drainTimeMs = 50) {
  const { context, store } = makeListenerBench(t);
  const { timers } = context.http.reactor;
  const table = new ListenerTable({ context, timers, strategy: 'immediate', drainTimeMs });
  context.findListener = (address) => table.find(address);
  t.teardown(() => table.stop(false));
  const set = (config: Listener, placement: ListenerPlacement): void => {
    table.apply({ set: [[config.name, config]], removed: [] }, new Map([[config.name, placement]]));
  };
  /** On sockets of its own. Returns the port. */
  const open = (config: Listener): number => {
    const opened = openListener(config, 1);
    if ('reason' in opened) throw new Error(opened.reason);
    set(config, { kind: 'open', sockets: { descriptors: opened.descriptors[0]! } });
    return Number(opened.addresses[0]?.split(':')[1]);
  };
  const remove = (name: string): void => table.apply({ set: [], removed: [name] }, new Map());
  const draining = () => {
    table.cleanUp();
    const group = store.get(listenerManagerStats)!;
    const { totalListenersDraining, totalFilterChainsDraining } = listenerManagerStats;
    return [group.value(totalListenersDraining), group.value(totalFilterChainsDraining)];
  };
  return { table, store, set, open, remove, draining };
}

async function client(t: Test, port: number): Promise<RawClient> {
  const opened = await RawClient.open(port);
  t.teardown(() => opened.close());
  return opened;
}

async function ask(asked: RawClient): Promise<string> {
  asked.text = '';
  await asked.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await asked.until((text) => /\r\n\r\n\w+$/.test(text));
  return asked.text.slice(asked.text.lastIndexOf('\n') + 1);
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('error', () => resolve(true));
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });
}

t.test('a removed listener drains, and what has not left by then is closed', async (t) => {
  const { open, remove, draining, table, store } = makeTable(t);
  const port = open(answering('http', 'x'));
  const stuck = await client(t, port);
  await stuck.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n');
  while (!table.hasConnections()) await nextTurn();
  remove('http');
  t.ok(await isRefused(port));
  t.same(draining(), [1, 0]);
  t.ok(table.hasConnections());
  await stuck.ended();
  t.equal(stuck.outcome, 'ECONNRESET');
  while (table.hasConnections()) await nextTurn();
  t.same(draining(), [0, 0]);
  t.equal(store.get(listenerStats, 'http'), undefined);
});

t.test('a listener takes the sockets over from the one before, which drains', async (t) => {
  const { open, set, draining } = makeTable(t, 60_000);
  const port = open(answering('http', 'before'));
  const early = await client(t, port);
  t.equal(await ask(early), 'before');
  set(answering('http', 'after', { backlog: 5 }), { kind: 'take-over', from: 'http' });
  t.same(draining(), [1, 0]);
  t.equal(await ask(await client(t, port)), 'after');
  await early.ended();
  t.equal(early.outcome, 'end');
});

t.test('a listener of another name takes the sockets over from one that leaves', async (t) => {
  const { open, table, draining } = makeTable(t, 60_000);
  const port = open(answering('http', 'before'));
  const early = await client(t, port);
  t.equal(await ask(early), 'before');
  table.apply(
    { set: [['renamed', answering('renamed', 'after')]], removed: ['http'] },
    new Map([['renamed', { kind: 'take-over', from: 'http' }]]),
  );
  t.same(draining(), [1, 0]);
  t.equal(await ask(await client(t, port)), 'after');
  await early.ended();
  t.equal(early.outcome, 'end');
});

t.test('a filter chain that is gone drains, and the rest of the listener does not notice', async (t) => {
  const { open, set, draining } = makeTable(t, 60_000);
  const config = answering('http', 'before');
  const port = open(config);
  const early = await client(t, port);
  t.equal(await ask(early), 'before');
  set(config, { kind: 'filter-chains', kept: [{ index: 0, earlierIndex: 0 }] });
  t.same(draining(), [0, 0]);
  t.equal(await ask(early), 'before');
  set(answering('http', 'after'), { kind: 'filter-chains', kept: [] });
  t.same(draining(), [0, 1]);
  await early.ended();
  early.close();
  t.equal(await ask(await client(t, port)), 'after');
  while (draining()[1]! > 0) await nextTurn();
});

t.test('an address leads to the listener that is bound to it now', (t) => {
  const { table, set, remove } = makeTable(t);
  const address = { kind: 'ip', ip: '10.0.0.1', port: 80 } as const;
  const placement = { kind: 'open', sockets: { descriptors: [] } } as const;
  const config = answering('http', 'x', { address, bindToPort: false });
  set(config, placement);
  t.equal(table.find(address)?.config, config);
  const changed = { ...config, backlog: 7 };
  set(changed, { kind: 'take-over', from: 'http' });
  t.equal(table.find(address)?.config, changed);
  remove('http');
  t.equal(table.find(address), null);
  t.end();
});

t.test('after a stop, listeners that come or change accept nothing either', async (t) => {
  const { table, open, set } = makeTable(t);
  const inbound = answering('in', 'in', { trafficDirection: 'inbound' });
  const inPort = open(inbound);
  table.stop(true);
  t.ok(await isRefused(inPort));
  t.ok(await isRefused(open(answering('more', 'x', { trafficDirection: 'inbound' }))));
  const outPort = open(answering('out', 'out'));
  t.notOk(await isRefused(outPort));
  table.stop(false);
  t.ok(await isRefused(outPort));
  set(answering('out', 'after', { backlog: 5 }), { kind: 'take-over', from: 'out' });
  t.ok(await isRefused(outPort));
});
