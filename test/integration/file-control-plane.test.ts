// The control plane from files and outrigger behind it, as `npm start` has them: what is saved is served.

import { join } from 'node:path';
import t from 'tap';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import { demoBootstrap } from '../../demo/bootstrap.ts';
import { renameIntoPlace, writeFiles } from '../support/control-plane-fixtures.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import { startSidecar } from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const servedWithinMs = 100;
/**
 * On a machine that is slow, or busy with other things, requests take longer, too. One after another, two to nine are answered
 * before a change is served; there would be fifty and more if it waited for the control plane's look each second.
 */
const servedWithinRequests = 25;

t.test('a saved change of endpoints or routes is served within 100 ms, a broken one is not', async (t) => {
  const [first, second] = [await startNamedOrigin(t, 'first'), await startNamedOrigin(t, 'second')];
  const file = (endpoint: number, to: string) =>
    `service: shop\nlisten: 127.0.0.1:0\nendpoints: ["127.0.0.1:${endpoint}"]\nroutes: [{to: ${to}}]\n`;
  const root = t.testdir({ resources: {} });
  const folder = join(root, 'resources');
  writeFiles(folder, {
    'shop.yaml': file(first, 'shop'),
    'canary.yaml': `service: canary\nendpoints: ["127.0.0.1:${second}"]\n`,
  });
  const lines: string[] = [];
  const flags = parseControlPlaneFlags(['--dir', folder, '--listen', '127.0.0.1:0'])!;
  const controlPlane = new ControlPlane(flags, (line) => lines.push(line));
  const { port } = await controlPlane.start();
  t.teardown(() => controlPlane.close());
  const bootstrap = JSON.parse(demoBootstrap({ adminPort: 0, controlPlanePort: port }));
  const sidecar = await startSidecar(t, { bootstrap, flags: ['--concurrency', '1', '--no-config-cache'] });
  const url = `http://127.0.0.1:${sidecar.port('shop')}/`;
  const ask = async () => (await fetch(url)).text();
  t.equal(await ask(), 'first');
  const change = async (text: string, wanted: string) => {
    const began = performance.now();
    renameIntoPlace(folder, 'shop.yaml', text);
    let requests = 0;
    while ((await ask()) !== wanted) requests++;
    changes.push({ tookMs: Math.round(performance.now() - began), requests });
  };
  const changes: { tookMs: number; requests: number }[] = [];
  for (let round = 0; round < 3; round++) {
    await change(file(second, 'shop'), 'second');
    await change(file(first, 'shop'), 'first');
    await change(file(first, 'canary'), 'second');
    await change(file(first, 'shop'), 'first');
  }
  // Alone on a machine it takes 20 to 30 ms. Where others run too, the median counts.
  const inTime = changes.filter((each) => each.tookMs < servedWithinMs || each.requests < servedWithinRequests);
  const text = changes.map(({ tookMs, requests }) => `${tookMs} ms (${requests} requests)`).join(', ');
  t.ok(inTime.length > changes.length / 2, text);
  t.comment(`served after ${text}`);
  const before = lines.length;
  renameIntoPlace(folder, 'shop.yaml', file(second, 'nowhere'));
  while (lines.length < before + 2) await new Promise((resolve) => setImmediate(resolve));
  const needed = /^shop\.yaml:4: routes\[0\]\.to: .*needs cluster "nowhere"/;
  t.matchOnly(lines.slice(before), [needed, /^the last good state is served/]);
  t.equal(await ask(), 'first');
  t.same(
    lines.filter((line) => line.includes('refused')),
    [],
  );
});
