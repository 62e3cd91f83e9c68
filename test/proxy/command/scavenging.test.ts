import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const module = join(import.meta.dirname, '../../../proxy/command/scavenging.ts');

// Much of it is alive whenever V8 collects, so that there is work for helpers.
const program = (before: string): string => `
  ${before}
  let live = [];
  for (let count = 0; count < 1e6; count++) {
    live.push({ count, list: [count] });
    if (live.length > 60000) live = live.slice(30000);
  }
`;

// V8 tells of each collection, and of each thread that had a part in one.
function collections(before: string): { readonly whole: number; readonly parts: number } {
  const flags = ['--min-semi-space-size=8', '--max-semi-space-size=8', '--trace-gc', '--trace-parallel-scavenge'];
  const args = [...flags, '--input-type=module', '-e', program(before)];
  const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
  return { whole: output.split(' Scavenge ').length - 1, parts: output.split('scavenge[').length - 1 };
}

t.test('each thread collects its young generation by itself from then on', async (t) => {
  const alone = `const { scavengeAlone } = await import(${JSON.stringify(module)}); scavengeAlone();`;
  const { whole, parts } = collections(alone);
  t.ok(whole > 4);
  t.equal(parts, whole);
  const helped = collections('');
  t.ok(helped.parts > helped.whole);
});
