// `npm start` as a newcomer meets it: what it prints is true, and Ctrl-C leaves nothing behind.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { noItems } from '../support/empty-patterns.ts';
import { onlyItems } from '../support/only-items.ts';
import { pause } from '../support/pause.ts';

t.test('the printed lines work, a saved file is followed, and Ctrl-C ends everything', async (t) => {
  const start = join(import.meta.dirname, '../../demo/start.ts');
  const demo = spawn(process.execPath, [start], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.teardown(() => demo.kill('SIGTERM'));
  const lines: string[] = [];
  for await (const line of createInterface({ input: demo.stdout })) {
    lines.push(line);
    if (line.startsWith('Ctrl-C')) break;
  }
  demo.stdout.resume();
  const text = lines.join('\n');
  const [hello, flaky, helloAgain] = [...text.matchAll(/^ {2}curl (?:-i )?(http:\S+)$/gm)].map((match) => match[1]!);
  t.match(await (await fetch(hello!)).text(), /^hello from replica [12]\n$/);
  t.match(await (await fetch(flaky!)).text(), /^replica [12] answers 200\n$/);
  /** Of several answers in a row: each worker takes turns of its own, and learns of a change by itself. */
  const replicas = async () => new Set(await Promise.all(Array.from({ length: 16 }, () => textOf(helloAgain!))));
  t.same([...(await replicas())].sort(), ['hello from replica 1\n', 'hello from replica 2\n']);
  execFileSync('/bin/sh', ['-c', /^ {2}(sed .*)$/m.exec(text)![1]!]);
  while ((await replicas()).has('hello from replica 1\n')) await pause();
  t.pass('the one that is left');
  const admin = /Admin page: (\S+)/.exec(text)![1]!;
  t.match((await fetch(admin)).headers.get('content-type'), /^text\/html/);
  const status = /Control plane: (\S+)/.exec(text)![1]!;
  t.match(await (await fetch(status)).json(), { ready: true, problems: noItems, clients: onlyItems({ node: 'demo' }) });
  demo.kill('SIGINT');
  t.same(await once(demo, 'exit'), [0, null]);
  await t.rejects(fetch(admin), 'nobody listens any more');
  await t.rejects(fetch(status), 'the control plane neither');
});

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}
