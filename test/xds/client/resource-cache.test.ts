import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { encodeCache, type KeptType } from '../../../xds/client/cache-format.ts';
import {
  cacheIdentity,
  defaultCacheDirectory,
  openResourceCache,
  type ResourceCache,
  type ResourceCacheOptions,
} from '../../../xds/client/resource-cache.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const types = (version: string): readonly KeptType[] => [
  { source: 'ads', typeUrl: 't', resources: [{ name: 'a', version, bytes: Buffer.from(`message ${version}`) }] },
];

function opened(directory: string, options: Partial<ResourceCacheOptions> = {}) {
  const time = new HandClock();
  const logged: string[] = [];
  const cache = openResourceCache({
    directory,
    identity: 'me',
    schedule: time.schedule,
    log: (level, text, facts) => logged.push(`${level} ${text} ${facts['reason'] ?? facts['code'] ?? ''}`),
    ...options,
  });
  return { cache: cache as ResourceCache, time, logged };
}

const fileIn = (directory: string) => join(directory, readdirSync(directory)[0]!);

t.test('what was accepted is there after a restart, and only for this user to read', async (t) => {
  const directory = join(t.testdir(), 'not', 'there');
  const { cache, logged } = opened(directory);
  t.same(cache.load(), []);
  t.matchOnly(logged, [/^debug no configuration was kept/]);
  cache.noteChange(() => types('1'));
  await cache.flush();
  t.same(readdirSync(directory).length, 1, 'and nothing beside it');
  t.equal(statSync(fileIn(directory)).mode & 0o777, 0o600);
  t.match(
    opened(directory).cache.load(),
    onlyItems({ source: 'ads', resources: onlyItems({ name: 'a', version: '1' }) }),
  );
  t.equal(Buffer.from(cache.load()[0]!.resources[0]!.bytes).toString(), 'message 1');
});

const source = new URL('../../../xds/client/resource-cache.ts', import.meta.url);

/** Writes a message of so many bytes in a process whose files end at 1024. */
function writeWithLittleRoom(directory: string, messageBytes: number): string {
  const program = `
    const { openResourceCache } = await import(${JSON.stringify(source.href)});
    const log = (level, text, { reason, code }) => console.log(level, text, reason ?? code);
    const options = { directory: ${JSON.stringify(directory)}, identity: 'me', schedule: () => () => {}, log };
    const cache = openResourceCache(options);
    const resource = { name: 'a', version: '2', bytes: Buffer.alloc(${messageBytes}) };
    cache.noteChange(() => [{ source: 'ads', typeUrl: 't', resources: [resource] }]);
    await cache.flush();`;
  const command = ['-c', 'ulimit -f 1; exec "$0" --input-type=module -e "$1"', process.execPath, program];
  return spawnSync('bash', command, { encoding: 'utf8' }).stdout;
}

t.test('a disk that has room for all but the last bytes leaves the file that was there', async (t) => {
  const directory = t.testdir({});
  const { cache } = opened(directory);
  cache.noteChange(() => types('1'));
  await cache.flush();
  const resource = { name: 'a', version: '2', bytes: new Uint8Array(0) };
  const around = [...encodeCache('me', [{ source: 'ads', typeUrl: 't', resources: [resource] }])];
  const bytes = around.reduce((sum, block) => sum + block.length, 0);
  t.match(writeWithLittleRoom(directory, 1026 - bytes), /^warning .* not written EFBIG/);
  t.match(opened(directory).cache.load(), onlyItems({ resources: onlyItems({ version: '1' }) }));
  t.equal(writeWithLittleRoom(directory, 1024 - bytes), '');
  t.match(opened(directory).cache.load(), onlyItems({ resources: onlyItems({ version: '2' }) }));
});

/** Begins and ends of what is done to files, in order. */
async function noteCalls(t: Test, directory: string): Promise<readonly string[]> {
  const noted: string[] = [];
  const file = await promises.open(directory);
  const handles = Object.getPrototypeOf(file) as Record<string, (...args: unknown[]) => Promise<unknown>>;
  await file.close();
  const note = (owner: typeof handles, name: string): void => {
    const original = owner[name]!;
    owner[name] = async function noting(...args) {
      noted.push(name);
      const result = await original.apply(this, args);
      noted.push(`${name} done`);
      return result;
    };
    t.teardown(() => {
      owner[name] = original;
      syncBuiltinESMExports();
    });
  };
  for (const name of ['writeFile', 'sync']) note(handles, name);
  note(promises as unknown as typeof handles, 'rename');
  syncBuiltinESMExports();
  return noted;
}

t.test('a file is whole and on the disk before it takes the place of the one before', async (t) => {
  const directory = t.testdir({});
  const { cache } = opened(directory);
  const noted = await noteCalls(t, directory);
  cache.noteChange(() => types('1'));
  await cache.flush();
  const calls = ['writeFile', 'sync', 'rename'];
  t.strictSame(
    noted,
    calls.flatMap((name) => [name, `${name} done`]),
  );
});

t.test('changes of ten seconds are one file, of the last state', async (t) => {
  const directory = t.testdir({});
  const { cache, time } = opened(directory);
  let asked = 0;
  const content = (version: string) => () => {
    asked++;
    return types(version);
  };
  cache.noteChange(content('1'));
  time.advance(9_000);
  cache.noteChange(content('2'));
  t.equal(asked, 0);
  time.advance(1_000);
  await cache.flush();
  t.equal(asked, 1);
  t.match(cache.load(), onlyItems({ resources: onlyItems({ version: '2' }) }));
  t.same(time.waits, []);
  await cache.flush();
  t.equal(asked, 1, 'nothing changed since');
  cache.noteChange(content('3'));
  t.same(time.waits, [10_000]);
  await cache.flush();
  t.same(time.waits, []);
  t.match(cache.load(), onlyItems({ resources: onlyItems({ version: '3' }) }));
});

t.test('what is to be written while a file is written is written behind it', async (t) => {
  const { cache, logged } = opened(t.testdir({}));
  for (const version of ['1', '2', '3']) {
    cache.noteChange(() => types(version));
    void cache.flush();
  }
  await cache.flush();
  t.same(logged, []);
  t.match(cache.load(), onlyItems({ resources: onlyItems({ version: '3' }) }));
});

t.test("what a process that ended in the midst left behind is in nobody's way", async (t) => {
  const directory = t.testdir({});
  const { cache, logged } = opened(directory);
  cache.noteChange(() => types('1'));
  await cache.flush();
  writeFileSync(`${fileIn(directory)}.${process.pid}.new`, 'half of it');
  cache.noteChange(() => types('2'));
  await cache.flush();
  t.same(logged, []);
  t.match(cache.load(), onlyItems({ resources: onlyItems({ version: '2' }) }));
});

t.test("another node's or control plane's state is a file of its own", async (t) => {
  const directory = t.testdir({});
  const mine = opened(directory).cache;
  const other = opened(directory, { identity: 'other' }).cache;
  mine.noteChange(() => types('1'));
  await mine.flush();
  t.same(other.load(), []);
  other.noteChange(() => types('2'));
  await other.flush();
  t.match(mine.load(), onlyItems({ resources: onlyItems({ version: '1' }) }));
});

t.test('a file that cannot be trusted is ignored with a warning', async (t) => {
  const directory = t.testdir({});
  const { cache, logged } = opened(directory);
  cache.noteChange(() => types('1'));
  await cache.flush();
  const file = fileIn(directory);
  const whole = readFileSync(file);
  writeFileSync(file, whole.subarray(0, -1));
  t.same(cache.load(), []);
  t.equal(logged.pop(), 'warning the file of accepted configuration is ignored it is damaged');
  writeFileSync(file, whole);
  chmodSync(file, 0o620);
  t.same(cache.load(), []);
  t.equal(logged.pop(), 'warning the file of accepted configuration is ignored others than this user may write it');
  chmodSync(file, 0o600);
  t.equal(cache.load().length, 1);
  truncateSync(file, 512 * 1024 * 1024 + 1);
  t.same(cache.load(), []);
  t.equal(logged.pop(), 'warning the file of accepted configuration is ignored 536870913 bytes are too many');
});

const isRoot = process.geteuid!() === 0;
t.test('a file of another user is ignored', { skip: !isRoot && 'only root gives files away' }, async (t) => {
  const directory = t.testdir({});
  const { cache, logged } = opened(directory);
  cache.noteChange(() => types('1'));
  await cache.flush();
  chownSync(fileIn(directory), 65534, 65534);
  t.same(cache.load(), []);
  t.same(logged, ['warning the file of accepted configuration is ignored others than this user may write it']);
});

t.test('a link is not followed', async (t) => {
  const directory = join(t.testdir({ elsewhere: {} }), 'cache');
  const { cache, logged } = opened(directory);
  cache.noteChange(() => types('1'));
  await cache.flush();
  const file = fileIn(directory);
  const moved = join(directory, '..', 'elsewhere', 'moved');
  renameSync(file, moved);
  symlinkSync(moved, file);
  t.same(cache.load(), []);
  t.matchOnly(logged, [/ignored ELOOP/]);
});

t.test('a state that is too large is not written, once said', async (t) => {
  const directory = t.testdir({});
  const { cache, logged } = opened(directory);
  const bytes = new Uint8Array(129 * 1024 * 1024);
  const huge = [{ source: 'ads', typeUrl: 't', resources: ['a', 'b'].map((name) => ({ name, version: '', bytes })) }];
  for (let time = 0; time < 2; time++) {
    cache.noteChange(() => huge);
    await cache.flush();
  }
  t.matchOnly(logged, [/not written any more 270532608 bytes are too many/]);
  t.equal(logged.length, 1);
  t.same(readdirSync(directory), []);
});

t.test('a disk that fails is a warning', async (t) => {
  const directory = t.testdir({});
  const { cache, logged } = opened(directory);
  cache.noteChange(() => types('1'));
  await cache.flush();
  const file = fileIn(directory);
  const second = opened(directory);
  mkdirSync(`${file}.${process.pid}.new`);
  second.cache.noteChange(() => types('2'));
  await second.cache.flush();
  t.matchOnly(second.logged, [/^warning the file of accepted configuration is not written E/]);
  t.match(cache.load(), onlyItems({ resources: onlyItems({ version: '1' }) }), 'and the file is what it was');
  t.same(logged, []);
});

t.test('without a directory nothing is kept, said once', async (t) => {
  const blocked = join(t.testdir({ file: '' }), 'file', 'below');
  const { cache, logged } = opened(blocked);
  t.equal(cache, undefined);
  t.same(logged, [
    'info accepted configuration is not kept on disk: the directory cannot be used; see --config-cache-dir ENOTDIR',
  ]);
});

t.test('a directory that may not be written to is as none, said once', async (t) => {
  const directory = join(t.testdir({}), 'cache');
  mkdirSync(directory);
  chmodSync(directory, 0o555);
  const program = `
    const { openResourceCache } = await import(${JSON.stringify(source.href)});
    if (process.getuid() === 0) process.setuid(65534);
    const log = (level, text, { code }) => console.log(level, text, code);
    const options = { directory: ${JSON.stringify(directory)}, identity: 'me', schedule: () => () => {}, log };
    console.log(openResourceCache(options));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  t.equal(stderr, '');
  t.match(stdout, /^info accepted configuration is not kept on disk: .* EACCES\nundefined\n$/);
});

t.test('where, and whose', async (t) => {
  t.equal(defaultCacheDirectory({}), '/var/cache/outrigger');
  t.equal(defaultCacheDirectory({ XDG_CACHE_HOME: '' }), '/var/cache/outrigger');
  t.equal(defaultCacheDirectory({ XDG_CACHE_HOME: '/caches' }), '/caches/outrigger');
  const node = { id: 'n', cluster: 'c', locality: { region: '', zone: '', subZone: '' }, metadata: {}, wire: {} };
  const identity = (uri: string, id = 'n') =>
    cacheIdentity({
      node: { ...node, id },
      grpcClusters: new Map(),
      dynamicResources: {
        ads: {
          protocol: 'delta',
          setNodeOnFirstMessageOnly: true,
          service: {
            target: { kind: 'uri', uri, credentials: { accessToken: { kind: 'inline', text: 'hidden' } } },
            initialMetadata: [],
          },
        },
      },
    });
  t.equal(identity('a:1'), '["n","c","a:1"]');
  t.not(identity('b:1'), identity('a:1'));
  t.not(identity('a:1', 'm'), identity('a:1'));
  t.equal(cacheIdentity({ node, grpcClusters: new Map(), dynamicResources: {} }), '["n","c"]');
});
