// The whole program as its parts are put together: a folder, clients, the console and the status page.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import { renameIntoPlace, serviceText, writeFiles } from '../support/control-plane-fixtures.ts';
import { DiscoveryCall } from '../support/discovery-call.ts';
import { noItems } from '../support/empty-patterns.ts';
import { onlyItems } from '../support/only-items.ts';
import { threadNowMs } from '../support/thread-time.ts';

async function start(t: Test, files: { readonly [path: string]: string }, more: readonly string[] = []) {
  const folder = t.testdir();
  writeFiles(folder, files);
  const args = ['--dir', folder, '--listen', '127.0.0.1:0', '--status', '127.0.0.1:0', ...more];
  const lines: string[] = [];
  let onLine = (_line: string): void => undefined;
  const controlPlane = new ControlPlane(parseControlPlaneFlags(args)!, (line) => {
    lines.push(line);
    onLine(line);
  });
  const { port, statusPort } = await controlPlane.start();
  t.teardown(() => controlPlane.close());
  const ask = (path: string) => fetch(`http://127.0.0.1:${statusPort}${path}`);
  const logged = (isWanted: (line: string) => boolean) =>
    new Promise<void>((resolve) => {
      onLine = (line) => isWanted(line) && resolve();
    });
  return { folder, lines, logged, address: `127.0.0.1:${port}`, ask };
}

const servedWithinMs = 100;

t.test('a change of a file reaches a client within 100 ms', async (t) => {
  const { folder, address, lines } = await start(t, { 'a.yaml': serviceText('a') });
  const call = new DiscoveryCall(t, { address });
  call.ask('eds', { subscribe: ['a'] });
  await call.next();
  const times: number[] = [];
  for (let port = 1; port <= 5; port++) {
    const began = threadNowMs();
    renameIntoPlace(folder, 'a.yaml', serviceText('a', port));
    t.match(await call.next(), { resources: onlyItems({ name: 'a' }) });
    times.push(threadNowMs() - began);
  }
  // Where others run too, those that were not disturbed count.
  const tookMs = [...times].sort((a, b) => a - b)[1]!;
  t.ok(tookMs < servedWithinMs, times.map(Math.round).join(' '));
  t.match(lines.at(-1), /^eds: changed a \(version \S+\)$/);
});

t.test('a broken file is named on the console and in /status, and the last good state stays', async (t) => {
  const { folder, address, lines, logged, ask } = await start(t, { 'a.yaml': serviceText('a') });
  const call = new DiscoveryCall(t, { address });
  call.ask('cds');
  await call.next();
  const before = lines.length;
  const reported = logged((line) => line === 'the last good state is served until this is mended');
  writeFiles(folder, { 'b.yaml': 'service: b\nendpoint: []\n' });
  await reported;
  t.same(lines.slice(before), [
    'b.yaml:1: has neither endpoints nor routes to other services',
    'b.yaml:2: endpoint: is not known here; did you mean `endpoints`?',
    'the last good state is served until this is mended',
  ]);
  const { problems } = (await (await ask('/status')).json()) as { problems: unknown };
  t.same(problems, [
    { file: 'b.yaml', line: 1, path: '', message: 'has neither endpoints nor routes to other services' },
    { file: 'b.yaml', line: 2, path: 'endpoint', message: 'is not known here; did you mean `endpoints`?' },
  ]);
  t.equal((await ask('/ready')).status, 200);
  renameIntoPlace(folder, 'b.yaml', serviceText('b'));
  t.match(await call.next(), { resources: onlyItems({ name: 'b' }) });
  t.matchOnly(lines.slice(before + 3), ['every file is right again', /^cds: added b/, /^eds: added b/]);
});

t.test('nothing good to begin with is not ready', async (t) => {
  const { folder, lines, ask, address } = await start(t, { 'a.yaml': 'service: a' });
  t.matchOnly(lines, [
    /^a\.yaml:1: has neither/,
    'nothing is served until this is mended',
    /^serves .* on 127\.0\.0\.1:\d+$/,
    /^status on http:/,
  ]);
  t.equal((await ask('/ready')).status, 503);
  const call = new DiscoveryCall(t, { address });
  call.ask('cds');
  writeFiles(folder, { 'a.yaml': serviceText('a') });
  t.match(await call.next(), { resources: onlyItems({ name: 'a' }) });
  t.equal((await ask('/ready')).status, 200);
});

t.test('/status shows who has what, and what was refused by whom', async (t) => {
  const { address, ask, lines, folder } = await start(t, {
    'a.yaml': serviceText('a'),
    'nodes/edge-*/e.yaml': serviceText('e'),
  });
  const call = new DiscoveryCall(t, { address, nodeId: 'edge-1' });
  call.ask('cds');
  const { version, nonce, resources } = await call.next();
  t.same(
    resources.map(({ name }) => name),
    ['a', 'e'],
  );
  call.ask('cds', { nonce, refusal: 'cluster "e": no\ncluster "a": neither' });
  call.ask('eds', { subscribe: ['a'] });
  const endpoints = await call.next();
  call.ask('eds', { nonce: endpoints.nonce });
  call.ask('rds', { subscribe: ['nothing'] });
  await call.next();
  const status = (await (await ask('/status')).json()) as { [key: string]: unknown };
  t.match(status, {
    ready: true,
    folder,
    files: onlyItems('a.yaml', join('nodes', 'edge-*', 'e.yaml')),
    problems: noItems,
    groups: onlyItems(
      { nodes: '*', types: { cds: { count: 1 }, eds: { count: 1 } } },
      { nodes: 'edge-*', types: { cds: { count: 2, version } } },
    ),
    clients: onlyItems({
      node: 'edge-1',
      cluster: 'test',
      group: 'edge-*',
      protocol: 'delta',
      types: onlyItems(
        {
          type: 'cds',
          subscribed: onlyItems('*'),
          refused: { version, text: 'cluster "e": no\ncluster "a": neither' },
        },
        { type: 'eds', subscribed: onlyItems('a'), acknowledged: { version: endpoints.version } },
        { type: 'rds', subscribed: onlyItems('nothing') },
      ),
    }),
    refusals: onlyItems({ node: 'edge-1', type: 'cds', version, text: 'cluster "e": no\ncluster "a": neither' }),
  });
  t.match(
    lines.at(-1),
    /^node "edge-1" \(127\.0\.0\.1:\d+\) refused cds version \S+: cluster "e": no\n {2}cluster "a"/,
  );
  t.equal((await ask('/else')).status, 404);
});

t.test(
  'of refusals the last hundred are kept, and the console is told nothing that a terminal would obey',
  async (t) => {
    const { address, ask, lines, logged } = await start(t, { 'a.yaml': serviceText('a') });
    const call = new DiscoveryCall(t, { address });
    call.ask('cds');
    await call.next();
    const told = logged((line) => line.endsWith(': \uFFFD[2J 120'));
    for (let count = 0; count <= 120; count++) call.ask('cds', { refusal: `\u001B[2J ${count}` });
    await told;
    t.equal(lines.filter((line) => line.includes('\u001B')).length, 0);
    const { refusals } = (await (await ask('/status')).json()) as { refusals: { text: string }[] };
    t.same([refusals.length, refusals[0]!.text, refusals[99]!.text], [100, '\u001B[2J 21', '\u001B[2J 120']);
  },
);

t.test('own files come first, may name what an upstream has, and lose nothing before it answered', async (t) => {
  const route = '{service: g, listen: "127.0.0.1:1", routes: [{to: east}]}';
  const east = await start(t, { 'a.yaml': `${serviceText('east', 1)}---\n${serviceText('both.example', 2)}` });
  const files = { 'a.yaml': 'service: both.example\nendpoints: [name.example:3]\n', 'g.yaml': route };
  const { address, ask } = await start(t, files, ['--upstream', east.address]);
  const call = new DiscoveryCall(t, { address });
  call.ask('cds');
  const { resources } = await call.next();
  t.same(resources.map(({ name }) => name).sort(), ['both.example', 'east'], 'in one response');
  const both = resources.find(({ name }) => name === 'both.example')!;
  t.ok(Buffer.from(both.message!).includes('name.example'), 'the own definition');
  t.match(await (await ask('/status')).json(), {
    problems: noItems,
    upstreams: onlyItems({ connection: 'connected' }),
  });
});

t.test('an address that is taken is said', async (t) => {
  const { address } = await start(t, { 'a.yaml': serviceText('a') });
  const second = new ControlPlane(parseControlPlaneFlags(['--dir', t.testdir(), '--listen', address])!, () => {});
  await t.rejects(second.start(), { message: /^--listen 127\.0\.0\.1:\d+: cannot listen: EADDRINUSE/ });
  const flags = ['--dir', t.testdir(), '--listen', '127.0.0.1:0', '--status', address];
  const third = new ControlPlane(parseControlPlaneFlags(flags)!, () => {});
  await t.rejects(third.start(), { message: `--status ${address}: cannot listen: EADDRINUSE` });
});

t.test('a file of TLS that cannot be used is named with its flag', async (t) => {
  const folder = t.testdir({ resources: {}, 'not-pem': 'x' });
  const starting = (certificate: string) => {
    const tls = ['--tls-cert', join(folder, certificate), '--tls-key', join(folder, 'not-pem')];
    const args = ['--dir', join(folder, 'resources'), '--listen', '127.0.0.1:0', ...tls];
    return new ControlPlane(parseControlPlaneFlags(args)!, () => {}).start();
  };
  await t.rejects(starting('absent'), { message: `--tls-cert ${join(folder, 'absent')}: cannot be read: ENOENT` });
  await t.rejects(starting('not-pem'), { message: `--tls-cert ${join(folder, 'not-pem')}: is not PEM` });
});
