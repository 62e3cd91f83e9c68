// The file of accepted resources among what happens to files: those of a process that was killed, other owners, a large mesh.

import { chownSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeCache, encodeCache, type KeptType } from '../../../xds/client/cache-format.ts';
import { openResourceCache } from '../../../xds/client/resource-cache.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const types = (version: string): readonly KeptType[] => [
  { source: 'ads', typeUrl: 't', resources: [{ name: 'a', version, bytes: Buffer.from(`message ${version}`) }] },
];

function opened(directory: string) {
  const warnings: string[] = [];
  const cache = openResourceCache({
    directory,
    identity: 'me',
    schedule: new HandClock().schedule,
    log: (level, text, { reason = '' }) => level === 'warning' && warnings.push(`${text}: ${reason}`),
  })!;
  return { cache, warnings };
}

async function written(directory: string): Promise<string> {
  const { cache } = opened(directory);
  cache.noteChange(() => types('1'));
  await cache.flush();
  return join(directory, readdirSync(directory)[0]!);
}

t.test('what a process of the same id left half-written is no obstacle', async (t) => {
  const directory = t.testdir();
  const path = await written(directory);
  // In a container every run has the same id.
  writeFileSync(`${path}.${process.pid}.new`, 'half of');
  const { cache, warnings } = opened(directory);
  cache.noteChange(() => types('2'));
  await cache.flush();
  t.same(warnings, []);
  t.match(cache.load(), onlyItems({ resources: onlyItems({ version: '2' }) }));
  t.equal(readdirSync(directory).length, 1);
});

t.test('what is to be written while a file is being written comes after it', async (t) => {
  const { cache, warnings } = opened(t.testdir());
  const flushes = ['1', '2', '3'].map((version) => {
    cache.noteChange(() => types(version));
    return cache.flush();
  });
  await Promise.all(flushes);
  t.same(warnings, []);
  t.match(cache.load(), onlyItems({ resources: onlyItems({ version: '3' }) }));
});

t.test('the folder is for its owner alone', async (t) => {
  const directory = join(t.testdir(), 'made', 'here');
  await written(directory);
  t.equal(statSync(directory).mode & 0o777, 0o700);
});

t.test('a file that is larger than any of ours is not read into memory', async (t) => {
  const directory = t.testdir();
  // Nothing of it is on the disk: it is one hole.
  truncateSync(await written(directory), 600 * 1024 * 1024);
  const { cache, warnings } = opened(directory);
  t.same(cache.load(), []);
  t.matchOnly(warnings, [/is ignored: 629145600 bytes are too many$/]);
});

const mayChown = process.geteuid!() === 0;
t.test('a file of another user is ignored', { skip: !mayChown && 'needs root to make one' }, async (t) => {
  const directory = t.testdir();
  chownSync(await written(directory), 65_534, 65_534);
  const { cache, warnings } = opened(directory);
  t.same(cache.load(), []);
  t.matchOnly(warnings, [/is ignored: others than this user may write it$/]);
});

t.test('a folder in the place of the file is ignored', async (t) => {
  const directory = t.testdir();
  const path = await written(directory);
  rmSync(path);
  mkdirSync(path);
  const { cache, warnings } = opened(directory);
  t.same(cache.load(), []);
  t.matchOnly(warnings, [/is ignored: EISDIR$/]);
});

t.test('a file of many blocks is read as it was written, and not when one of its bytes changed', async (t) => {
  const resources = Array.from({ length: 300 }, (_, index) => ({
    name: `cluster ${index}`,
    version: String(index),
    bytes: Buffer.alloc(1000, index % 251),
  }));
  const kept: readonly KeptType[] = [{ source: 'ads', typeUrl: 't', resources }];
  const blocks = [...encodeCache('me', kept)];
  t.ok(blocks.length >= 5 && blocks.length <= 10, `${blocks.length} blocks: neither one nor one for each piece`);
  const file = Buffer.concat(blocks);
  const content = decodeCache(file, 'me');
  t.equal(content.kind, 'kept');
  if (content.kind !== 'kept') return;
  t.equal(content.types[0]!.resources.length, 300);
  for (const [index, { name, version, bytes }] of content.types[0]!.resources.entries()) {
    if (name !== resources[index]!.name || version !== resources[index]!.version) t.fail(`${name} at ${index}`);
    if (!resources[index]!.bytes.equals(bytes)) t.fail(`bytes of ${name}`);
  }
  // In each block, the first among them.
  for (let at = 100; at < file.length; at += 50_000) {
    const damaged = Buffer.from(file);
    damaged[at]! ^= 1;
    t.same(decodeCache(damaged, 'me'), { kind: 'unusable', reason: 'it is damaged' }, `byte ${at}`);
  }
});
