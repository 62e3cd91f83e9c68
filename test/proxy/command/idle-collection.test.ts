import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const module = join(import.meta.dirname, '../../../proxy/command/idle-collection.ts');

// The tag is of V8's version and all its flags. When it collects a quiet heap is a matter of its clock.
function versionTag(before: string, ...flags: readonly string[]): string {
  const program = `import { cachedDataVersionTag } from 'node:v8'; ${before} console.log(cachedDataVersionTag());`;
  return execFileSync(process.execPath, [...flags, '--input-type=module', '-e', program], { encoding: 'utf8' });
}

t.test('V8 collects quiet heaps from then on as if it were told so at its start', async (t) => {
  const once = `const { collectQuietHeapsOnce } = await import(${JSON.stringify(module)}); collectQuietHeapsOnce();`;
  const told = versionTag('', '--memory-reducer-gc-count=1');
  t.equal(versionTag(once), told);
  t.not(versionTag(''), told);
});
