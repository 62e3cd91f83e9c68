import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '../../..');
const made = ['--rate', '20', '--duration', '5', '--services', '3'];

function sampler(...args: readonly string[]) {
  return spawnSync(process.execPath, [join(root, 'sampler/simulate/main.ts'), ...args], { encoding: 'utf8' });
}

t.test('a simulation is printed, and drawn where it is asked for', (t) => {
  const svg = join(t.testdir({}), 'out.svg');
  const settings = join(root, 'docs/examples/sampling.yaml');
  const { status, stdout, stderr } = sampler('simulate', ...made, '--settings', settings, '--svg', svg);
  t.equal(status, 0, stderr);
  t.match(stdout, /^outrigger: [\d,]+ spans sent/m);
  t.match(stdout, 'budget 100 traces/s');
  t.match(readFileSync(svg, 'utf8'), /^<svg .*<\/svg>\n$/s);
  t.end();
});

t.test(
  'a budget on the command line comes before that of the file, and a file of requests in place of made ones',
  (t) => {
    const line = {
      at: 0,
      service: 'a',
      route: '/',
      method: 'GET',
      status: 200,
      durationMs: 1,
      traceId: 'ab'.repeat(16),
    };
    const directory = t.testdir({
      'requests.jsonl': `${JSON.stringify(line)}\n`,
      'settings.yaml': 'sampling: { budget: { traces_per_second: 3 } }',
    });
    const files = ['--trace', join(directory, 'requests.jsonl'), '--settings', join(directory, 'settings.yaml')];
    t.match(sampler('simulate', ...files).stdout, /^1 requests of 1 traces in 1 s, 0 of them errors; budget 3 traces/);
    t.match(sampler('simulate', ...files, '--budget', '7').stdout, 'budget 7 traces/s');
    t.end();
  },
);

t.test('a short workload lasts as long as was asked for, though its last request comes before the end', (t) => {
  const args = ['--rate', '50', '--services', '3', '--seed', '7', '--duration', '2'];
  t.match(sampler('simulate', ...args).stdout, /^133 requests of 90 traces in 2 s, /);
  t.end();
});

t.test('what is wrong is told without a stack: 2 for the command line, 1 for files', (t) => {
  const directory = t.testdir({ 'wrong.yaml': 'sampling: { base_rate: 7 }', 'wrong.jsonl': '{"at": 1}' });
  const wrong = [
    { args: ['simulate'], status: 2, message: /^--trace or --rate is needed\nusage:/ },
    { args: ['simulate', ...made, '--settings', join(directory, 'wrong.yaml')], status: 1, message: /base_rate: must/ },
    { args: ['simulate', '--trace', join(directory, 'wrong.jsonl')], status: 1, message: /^line 1: traceId must be/ },
    {
      args: ['simulate', '--trace', join(directory, 'none.jsonl')],
      status: 1,
      message: /none\.jsonl cannot be read: ENOENT: the folder .* has no such file; /,
    },
    {
      args: ['simulate', ...made, '--svg', join(directory, 'no', 'x.svg')],
      status: 1,
      message: /x\.svg cannot be written: ENOENT: there is no folder .*\/no; make the folder/,
    },
  ];
  for (const { args, status, message } of wrong) {
    const run = sampler(...args);
    t.equal(run.status, status);
    t.match(run.stderr, message);
    t.notMatch(run.stderr, /\n +at /);
  }
  t.end();
});
