import { once } from 'node:events';
import { mkdirSync, renameSync, symlinkSync, unlinkSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as aTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { FileSource, type FileSourceOptions } from '../../../xds/client/file-source.ts';
import { HandClock, RecordingConsumer } from '../../support/discovery-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const typeUrl = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const clusters = (...names: readonly string[]) =>
  `{version_info: v, resources: [${names.map((name) => `{"@type": ${typeUrl}, name: ${name}}`).join(', ')}]}`;

/** Turns end by themselves, as files change by themselves; time is moved by hand. */
function started(t: Test, options: Partial<FileSourceOptions> & { readonly path: string }) {
  const time = new HandClock();
  const consumer = new RecordingConsumer(typeUrl);
  const logged: string[] = [];
  let next = Promise.withResolvers<void>();
  const wake = () => {
    next.resolve();
    next = Promise.withResolvers();
  };
  consumer.onTold = wake;
  const source = new FileSource({
    name: 'cds file',
    consumer,
    clock: time.clock,
    schedule: time.schedule,
    defer: setImmediate,
    log: (level, text, facts) => {
      logged.push(`${level} ${text} ${facts['reason'] ?? facts['refusal']}`);
      wake();
    },
    ...options,
  });
  t.teardown(() => source.stop());
  /** Until something was told that is like it. */
  const until = async (isDone: () => boolean) => {
    while (!isDone()) await next.promise;
  };
  return { source, consumer, time, logged, until };
}

/** As a file is to be replaced. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

t.test('the file is read when it is subscribed to, and again when it was replaced', async (t) => {
  const path = join(t.testdir({ 'cds.yaml': clusters('a', 'b') }), 'cds.yaml');
  const { source, consumer, until } = started(t, { path });
  source.subscribe(typeUrl, '*', 15_000);
  source.start();
  await until(() => consumer.held.size === 2);
  t.same(consumer.take(), ['+a@', '+b@']);
  replace(path, clusters('b', 'c'));
  await until(() => consumer.held.has('c'));
  t.same(consumer.take(), ['+b@', '+c@', '-a'], 'what is not in it any more is gone');
  t.match(source.status(), {
    name: 'cds file',
    target: path,
    protocol: 'file',
    connection: { kind: 'connected', sinceMs: 1_000_000 },
    types: onlyItems({
      typeUrl,
      isWildcard: true,
      heldCount: 2,
      version: 'v',
      responses: 2,
      lastAck: { version: 'v' },
    }),
  });
});

t.test('a broken file is told with its path, and what was read before stays', async (t) => {
  const path = join(t.testdir({ 'cds.yaml': clusters('a') }), 'cds.yaml');
  const { source, consumer, logged, until } = started(t, { path });
  source.subscribe(typeUrl, '*', 0);
  source.start();
  await until(() => consumer.held.size === 1);
  replace(path, `{resources: [{"@type": ${typeUrl}, name: b, connect_timeout: soon}]}`);
  await until(() => logged.length === 1);
  t.match(
    logged[0],
    /^error a file of configuration cannot be used.*cds\.yaml is wrong: resources\[0\]\.connect_timeout: /,
  );
  t.same([...consumer.held.keys()], ['a']);
  t.match(source.status().connection, { kind: 'waiting', lastError: /is wrong/ });
  replace(path, clusters('a', 'b'));
  await until(() => consumer.held.has('b'));
  t.equal(source.status().connection.kind, 'connected');
});

t.test('a resource that is refused is told, the others of the file are used', async (t) => {
  const path = join(t.testdir({ 'cds.yaml': clusters('a', 'b') }), 'cds.yaml');
  const { source, consumer, logged, until } = started(t, { path });
  consumer.refuses.set('a', [{ path: 'lb_policy', message: 'is bad' }]);
  source.subscribe(typeUrl, '*', 0);
  source.start();
  await until(() => logged.length === 1);
  t.same([...consumer.held.keys()], ['b']);
  t.equal(
    logged[0],
    'warning refused resources of a file; what was accepted of them before, if anything, stays in use a: lb_policy: is bad',
  );
  t.match(source.status().types[0]!.lastNack, { version: 'v', text: 'a: lb_policy: is bad' });
  t.equal(source.status().types[0]!.responses, 1);
});

t.test('a file may come later than those who wait for it', async (t) => {
  const directory = t.testdir({});
  const path = join(directory, 'cds.yaml');
  const { source, consumer, logged, time, until } = started(t, { path });
  source.subscribe(typeUrl, 'a', 1000);
  source.start();
  await until(() => logged.length === 1);
  t.match(logged[0], /cds\.yaml cannot be read: ENOENT/);
  time.advance(1000);
  t.same(consumer.take(), ['?a']);
  writeFileSync(path, clusters('a'));
  await until(() => consumer.held.has('a'));
  t.same(consumer.take().at(-1), '+a@');
});

t.test('names are told as absent after their time, and not as gone by a file without them', async (t) => {
  const path = join(t.testdir({ 'cds.yaml': clusters('a') }), 'cds.yaml');
  const { source, consumer, time, until } = started(t, { path });
  for (const name of ['a', 'b', 'c']) source.subscribe(typeUrl, name, 1000);
  source.unsubscribe(typeUrl, 'c');
  source.start();
  await until(() => consumer.held.has('a'));
  time.advance(1000);
  t.same(consumer.take(), ['+a@', '?b']);
  replace(path, clusters('b'));
  await until(() => consumer.held.has('b'));
  t.same(consumer.take(), ['+b@']);
  source.subscribe(typeUrl, 'd', 0);
  await until(() => consumer.updates === 3);
  t.same(consumer.take(), ['+b@'], 'a new name may be in the file already');
});

t.test('the wait for everything ends with the file, a time of zero is none, and none is left after stop', async (t) => {
  const path = join(t.testdir({ 'cds.yaml': clusters('a') }), 'cds.yaml');
  const { source, consumer, time, until } = started(t, { path });
  source.subscribe(typeUrl, '*', 1000);
  source.start();
  await until(() => consumer.held.has('a'));
  source.subscribe(typeUrl, 'b', 0);
  t.same(time.waits, []);
  source.subscribe(typeUrl, 'c', 1000);
  t.same(time.waits, [1000]);
  source.stop();
  t.same(time.waits, []);
});

t.test('a file that is written in place is not read: half of it may be there', async (t) => {
  const directory = t.testdir({ 'cds.yaml': clusters('a') });
  const path = join(directory, 'cds.yaml');
  const { source, consumer, until } = started(t, { path });
  source.subscribe(typeUrl, '*', 0);
  source.start();
  await until(() => consumer.held.has('a'));
  const watcher = watch(directory);
  t.teardown(() => watcher.close());
  writeFileSync(path, clusters('b'));
  await once(watcher, 'change');
  for (let turn = 0; turn < 3; turn++) await aTurn();
  t.equal(consumer.updates, 1);
  replace(path, clusters('c'));
  await until(() => consumer.held.has('c'));
  t.same(consumer.take(), ['+a@', '+c@', '-a']);
});

t.test('a file is read once for all that is subscribed to in a turn, and its fault is told once', async (t) => {
  const path = join(t.testdir({}), 'cds.yaml');
  const failures: string[] = [];
  const observer = { onFailure: (name: string) => failures.push(name) };
  const { source, consumer, logged, until } = started(t, { path, observer });
  source.start();
  for (let turn = 0; turn < 3; turn++) await aTurn();
  t.same(failures, [], 'nor is it read for nobody');
  for (const name of ['a', 'b', 'c']) source.subscribe(typeUrl, name, 0);
  for (let turn = 0; turn < 3; turn++) await aTurn();
  t.equal(failures.length, 1);
  source.subscribe(typeUrl, 'd', 0);
  for (let turn = 0; turn < 3; turn++) await aTurn();
  t.same([failures.length, logged.length], [2, 1]);
  replace(path, clusters('a'));
  await until(() => consumer.held.has('a'));
  source.subscribe(typeUrl, 'e', 0);
  source.stop();
  for (let turn = 0; turn < 3; turn++) await aTurn();
  t.equal(consumer.updates, 1, 'and not after a stop');
});

t.test('a watched directory says when to read: a link in it that leads elsewhere', async (t) => {
  const directory = t.testdir({ one: { 'cds.yaml': clusters('a') }, two: { 'cds.yaml': clusters('b') } });
  const mounted = join(directory, 'mounted');
  mkdirSync(mounted);
  symlinkSync(join(directory, 'one'), join(mounted, '..data'));
  symlinkSync(join('..data', 'cds.yaml'), join(mounted, 'cds.yaml'));
  const { source, consumer, until } = started(t, { path: join(mounted, 'cds.yaml'), watchedDirectory: mounted });
  source.subscribe(typeUrl, '*', 0);
  source.start();
  await until(() => consumer.held.has('a'));
  symlinkSync(join(directory, 'two'), join(mounted, '..data_new'));
  renameSync(join(mounted, '..data_new'), join(mounted, '..data'));
  await until(() => consumer.held.has('b'));
  t.same([...consumer.held.keys()], ['b']);
});

t.test('a watched directory may be another than that of the file', async (t) => {
  const directory = t.testdir({ files: { 'cds.yaml': clusters('a') }, watched: {} });
  const [path, watchedDirectory] = [join(directory, 'files', 'cds.yaml'), join(directory, 'watched')];
  const { source, consumer, until } = started(t, { path, watchedDirectory });
  source.subscribe(typeUrl, '*', 0);
  source.start();
  await until(() => consumer.held.has('a'));
  writeFileSync(path, clusters('b'));
  writeFileSync(join(watchedDirectory, 'moved'), '');
  await until(() => consumer.held.has('b'));
  t.strictSame([...consumer.held.keys()], ['b']);
});

t.test('a folder that is not there is looked for again', async (t) => {
  const directory = join(t.testdir({}), 'later');
  const path = join(directory, 'cds.yaml');
  const { source, consumer, time, logged, until } = started(t, { path });
  source.subscribe(typeUrl, '*', 0);
  source.start();
  t.match(logged[0], /later cannot be watched: ENOENT/);
  await until(() => logged.length === 2);
  t.match(logged[1], /cannot be read: ENOENT/);
  mkdirSync(directory);
  writeFileSync(path, clusters('a'));
  time.advance(5000);
  await until(() => consumer.held.has('a'));
  replace(path, clusters('a', 'b'));
  await until(() => consumer.held.has('b'));
  unlinkSync(path);
  await until(() => logged.length === 3);
  t.match(logged[2], /cannot be read: ENOENT/);
  t.same([...consumer.held.keys()], ['a', 'b'], 'a file that is gone takes nothing with it');
});

t.test('an observer is told what is to be counted', async (t) => {
  const path = join(t.testdir({}), 'cds.yaml');
  const seen: unknown[] = [];
  const { source, consumer, time, until } = started(t, {
    path,
    observer: {
      onSubscribe: (_type, name) => seen.push(`+${name}`),
      onUnsubscribe: (_type, name) => seen.push(`-${name}`),
      onFetchTimeout: (_type, name) => seen.push(`late ${name}`),
      onFailure: (name) => seen.push(`failure of ${name}`),
      onResponse: ({ names, removed, refused, isWhole, hasNamed }) =>
        seen.push([[...names], removed, refused.map(({ name }) => name), { isWhole, hasNamed }]),
    },
  });
  consumer.refuses.set('b', [{ path: '', message: 'no' }]);
  source.subscribe(typeUrl, '*', 10);
  source.start();
  await until(() => seen.length === 2);
  time.advance(10);
  replace(path, clusters('a', 'b'));
  await until(() => consumer.held.has('a'));
  source.unsubscribe(typeUrl, '*');
  source.unsubscribe(typeUrl, '*');
  t.same(seen, [
    '+*',
    'failure of cds file',
    'late *',
    [['a', 'b'], [], ['b'], { isWhole: true, hasNamed: false }],
    '-*',
  ]);
});
