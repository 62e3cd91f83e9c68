// `npm start` as a newcomer meets it: what it prints is true, and Ctrl-C leaves nothing behind.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';

t.test('the printed curl lines work and Ctrl-C ends everything', async (t) => {
  const start = join(import.meta.dirname, '../../demo/start.ts');
  const demo = spawn(process.execPath, [start], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => demo.kill('SIGTERM'));
  const lines: string[] = [];
  for await (const line of createInterface({ input: demo.stdout })) {
    lines.push(line);
    if (line.startsWith('Ctrl-C')) break;
  }
  demo.stdout.resume();
  const text = lines.join('\n');
  const curls = [...text.matchAll(/^ {2}curl (.*?)(http:\S+)$/gm)];
  t.equal(curls.length, 3, text);
  const bodies = await Promise.all(curls.map(([, options, url]) => ask(options!, url!)));
  t.match(bodies, [/^hello from replica [12]\n$/, /^replica [12] answers 200\n$/, /^to and fro$/]);
  const admin = /Admin page: (\S+)/.exec(text)![1]!;
  t.match((await fetch(admin)).headers.get('content-type'), /^text\/html/);
  demo.kill('SIGINT');
  t.same(await once(demo, 'exit'), [0, null]);
  await t.rejects(fetch(admin), 'nobody listens any more');
});

async function ask(options: string, url: string): Promise<string> {
  const body = /-d '(.*)'/.exec(options)?.[1];
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', body });
  return response.text();
}
