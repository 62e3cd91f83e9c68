// Control planes in memory that follow each other, and sources that go away for ever: what they said is to end everywhere, by
// itself, and nothing else with it.

import fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '../support/cluster-fixtures.ts';
import { ControlPlaneMesh, type MeshRun, type Services } from '../support/control-plane-mesh.ts';

const timeToLiveMs = 60_000;

/** So long that all is tried again, too. */
const longMs = timeToLiveMs + 31_000;

function meshOf(follows: { readonly [name: string]: readonly string[] }, options: object = {}) {
  const mesh = new ControlPlaneMesh(seededRandom(1));
  Object.entries(follows).forEach(([name, followed], index) => {
    mesh.start(name, { [name]: [index + 1], shop: [index + 1] }, { follows: followed, timeToLiveMs, ...options });
  });
  mesh.advance(longMs);
  return mesh;
}

/** What each serves. */
const servedBy = (mesh: ControlPlaneMesh) => Object.fromEntries(mesh.runs.map((run) => [run.name, run.served()]));

const namesOf = (run: MeshRun | undefined) => Object.keys(run!.served());

t.test('a source that never comes back is forgotten, also by those who have it from each other', async (t) => {
  const mesh = meshOf({ a: ['c', 'b'], b: ['c', 'a'], c: [] });
  const all = { a: [1], b: [2], c: [3], shop: [1, 2, 3] };
  t.same(servedBy(mesh), { a: all, b: all, c: { c: [3], shop: [3] } });
  mesh.stop('c');
  mesh.advance(timeToLiveMs - 1);
  t.same(servedBy(mesh), { a: all, b: all }, 'not before --source-ttl');
  mesh.responses = 0;
  mesh.advance(2);
  const left = { a: [1], b: [2], shop: [1, 2] };
  t.same(servedBy(mesh), { a: left, b: left });
  t.same(
    mesh.runs.map((run) => run.origins().map((origin) => origin.slice(0, 1))),
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    'nobody tells of it any more',
  );
  t.ok(mesh.responses <= 2 * 4 * 16, `${mesh.responses} responses for 16 steps of four types over two links`);
  mesh.responses = 0;
  mesh.advance(longMs);
  t.equal(mesh.responses, 0, 'it has come to rest');
});

t.test('so it is in a ring of three, and among four who all follow each other', async (t) => {
  const shapes = {
    ring: { a: ['b', 'lost'], b: ['c'], c: ['a'], lost: [] },
    full: { a: ['b', 'c', 'd', 'lost'], b: ['a', 'c', 'd'], c: ['a', 'b', 'd', 'lost'], d: ['a', 'b', 'c'], lost: [] },
  };
  for (const [shape, follows] of Object.entries(shapes)) {
    const mesh = meshOf(follows);
    for (const run of mesh.runs) if (run.name !== 'lost') t.ok(namesOf(run).includes('lost'), `${shape} ${run.name}`);
    mesh.stop('lost');
    mesh.advance(longMs);
    const names = mesh.runs.map(({ name }) => name);
    for (const run of mesh.runs) t.same(namesOf(run), [...names, 'shop'], `${shape} ${run.name}`);
  }
});

t.test('of a chain only those behind the lost one forget it, and a word goes through fifteen', async (t) => {
  const names = Array.from({ length: 18 }, (_, index) => `n${index + 10}`);
  const mesh = meshOf(Object.fromEntries(names.map((name, index) => [name, names.slice(index + 1, index + 2)])));
  t.same(
    names.filter((name) => namesOf(mesh.run(name)).includes('n27')),
    names.slice(2),
    'who is sixteen away does not hear of it',
  );
  mesh.stop('n20');
  mesh.advance(longMs);
  t.same(namesOf(mesh.run('n18')), ['n18', 'n19', 'shop'], 'nor of those behind it');
  t.same(namesOf(mesh.run('n21')), [...names.slice(11), 'shop']);
});

t.test(
  'whom one cannot reach and another can is served by both, and again by the short way when it is back',
  async (t) => {
    const mesh = meshOf({ a: ['c', 'b'], b: ['c', 'a'], c: [] });
    mesh.cut('a', 'c');
    mesh.advance(longMs);
    t.same(mesh.run('a')!.served(), { a: [1], b: [2], c: [3], shop: [1, 2, 3] });
    mesh.run('c')!.state({ c: [30] });
    mesh.settle();
    t.same(mesh.run('a')!.served(), { a: [1], b: [2], c: [30], shop: [1, 2] });
    mesh.mend('a', 'c');
    mesh.advance(31_000);
    mesh.cut('b', 'c');
    mesh.advance(longMs);
    mesh.run('c')!.state({ c: [31] });
    mesh.settle();
    t.same(mesh.run('b')!.served(), { a: [1], b: [2], c: [31], shop: [1, 2] });
  },
);

t.test('the longest --source-ttl of those who followed it counts', async (t) => {
  const mesh = new ControlPlaneMesh(seededRandom(2));
  mesh.start('c', { c: [3] });
  mesh.start('a', { a: [1] }, { follows: ['c', 'b'], timeToLiveMs: 10_000 });
  mesh.start('b', { b: [2] }, { follows: ['a', 'c'], timeToLiveMs: 50_000 });
  mesh.advance(60_000);
  mesh.stop('c');
  mesh.advance(49_000);
  t.same(mesh.runs.map(namesOf), [
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
  ]);
  mesh.advance(2_000);
  t.same(mesh.runs.map(namesOf), [
    ['a', 'b'],
    ['a', 'b'],
  ]);
});

t.test('a source that is back, just in time or just too late, is served as it is then', async (t) => {
  for (const awayMs of [timeToLiveMs - 100, timeToLiveMs + 100]) {
    for (const isNewRun of [false, true]) {
      const mesh = meshOf({ a: ['c', 'b'], b: ['c', 'a'], c: [] });
      for (const follower of ['a', 'b']) mesh.cut(follower, 'c');
      mesh.run('c')!.state({ c: [30], more: [31] });
      mesh.advance(awayMs);
      if (isNewRun) mesh.start('c', { c: [30], more: [31] });
      for (const follower of ['a', 'b']) mesh.mend(follower, 'c');
      mesh.advance(31_000);
      const all = { a: [1], b: [2], c: [30], more: [31], shop: [1, 2] };
      t.same(servedBy(mesh), { a: all, b: all, c: { c: [30], more: [31] } }, `${awayMs} ms, ${isNewRun}`);
    }
  }
});

t.test('what an earlier run counted for those who count nothing is over, too', async (t) => {
  const mesh = new ControlPlaneMesh(seededRandom(3));
  mesh.start('istiod', { i: [9], old: [8] }, { versionFields: 1 });
  mesh.start('b', { b: [2] }, { follows: ['a'] });
  mesh.start('a', { a: [1] }, { follows: ['istiod', 'b'] });
  mesh.advance(31_000);
  t.same(namesOf(mesh.run('b')), ['a', 'b', 'i', 'old']);
  mesh.start('a', { a: [1] }, { follows: ['istiod', 'b'] });
  mesh.run('istiod')!.state({ i: [9] });
  mesh.advance(31_000);
  t.same(mesh.runs.map(namesOf), [['i'], ['a', 'b', 'i'], ['a', 'b', 'i']]);
});

t.test('a link between followers that breaks again and again does not keep a lost source alive', async (t) => {
  const mesh = meshOf({ a: ['c', 'b'], b: ['c', 'a'], c: [] });
  mesh.stop('c');
  for (let times = 0; times < 40; times++) {
    mesh.cut('a', 'b');
    mesh.advance(1_000);
    mesh.mend('a', 'b');
    mesh.advance(4_000);
  }
  t.same(mesh.runs.map(namesOf), [
    ['a', 'b', 'shop'],
    ['a', 'b', 'shop'],
  ]);
});

t.test(
  'what is asked for long after it came to be is had by all, though each has seen its change before',
  async (t) => {
    for (let seed = 0; seed < 20; seed++) {
      const mesh = new ControlPlaneMesh(seededRandom(seed));
      const unnamed = { late: [7] };
      mesh.start('c', { c: [3] }).state({ c: [3] }, unnamed);
      mesh.start('a', { a: [1] }, { follows: ['c', 'b'] });
      mesh.start('b', { b: [2] }, { follows: ['c', 'a'] });
      mesh.advance(31_000);
      const c = mesh.run('c')!;
      c.state({ c: [30] }, unnamed);
      mesh.settle();
      for (let times = 0; times < 3; times++) {
        c.state({ c: [30], late: [7] });
        mesh.advance(31_000);
        const all = { a: [1], b: [2], c: [30], late: [7] };
        t.same(servedBy(mesh), { c: { c: [30], late: [7] }, a: all, b: all }, `${seed}`);
        c.state({ c: [30] }, unnamed);
        mesh.settle();
        t.same(mesh.runs.map(namesOf), [['c'], ['a', 'b', 'c'], ['a', 'b', 'c']], `${seed}`);
      }
    }
  },
);

t.test('who cannot reach an origin hears of what was removed by one who was never asked for it', async (t) => {
  const mesh = new ControlPlaneMesh(seededRandom(5));
  mesh.start('c', { c: [3], shop: [3] });
  mesh.start('b', { b: [2] }, { follows: ['c'] });
  mesh.start('a', { a: [1], shop: [1] }, { follows: ['c', 'b'] });
  mesh.advance(31_000);
  t.same(mesh.run('a')!.served(), { a: [1], b: [2], c: [3], shop: [1, 3] });
  mesh.cut('a', 'c');
  mesh.run('c')!.state({ c: [3] });
  mesh.settle();
  t.same(mesh.run('a')!.served(), { a: [1], b: [2], c: [3], shop: [1] });
});

t.test('what the next run of a source still has is never missing in between', async (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const mesh = new ControlPlaneMesh(seededRandom(seed));
    mesh.start('c', { c: [3], shop: [3] });
    mesh.start('a', { a: [1], shop: [1] }, { follows: ['c', 'b'], timeToLiveMs: 10_000 });
    mesh.start('b', { b: [2] }, { follows: ['c', 'a'], timeToLiveMs });
    mesh.advance(31_000);
    const missing: string[] = [];
    for (const name of ['a', 'b']) {
      const run = mesh.run(name)!;
      run.cache.follow(() => {
        const { c = [], shop = [] } = run.served();
        if (!c.includes(3) || !shop.includes(3)) missing.push(JSON.stringify([seed, name, run.served()]));
      });
    }
    for (const awayMs of [0, 9_000, 30_000]) {
      mesh.stop('c');
      mesh.advance(awayMs);
      mesh.start('c', { c: [3], shop: [3], more: [awayMs + 1] });
      mesh.stepSome(seed);
      mesh.advance(31_000);
    }
    t.same(missing, []);
    t.same(mesh.run('a')!.served(), { a: [1], b: [2], c: [3], more: [30_001], shop: [1, 3] });
  }
});

t.test('two runs behind one address that take turns leave nothing of each other', async (t) => {
  const mesh = meshOf({ a: ['c', 'b'], b: ['c', 'a'], c: [] });
  for (let turn = 0; turn < 4; turn++) {
    mesh.start('c', { [`turn${turn}`]: [turn + 10] });
    mesh.advance(31_000);
    t.same(namesOf(mesh.run('b')), ['a', 'b', 'shop', `turn${turn}`]);
  }
  t.equal(mesh.run('a')!.origins().length, 3);
});

t.test('one that does not say how far away others are is followed, and its own word ends', async (t) => {
  const mesh = new ControlPlaneMesh(seededRandom(4));
  mesh.start('c', { c: [3] }, { versionFields: 4 });
  mesh.start('a', { a: [1] }, { follows: ['c', 'b'] });
  mesh.start('b', { b: [2] }, { follows: ['c', 'a'] });
  mesh.advance(31_000);
  t.same(namesOf(mesh.run('a')), ['a', 'b', 'c']);
  mesh.stop('c');
  mesh.advance(longMs);
  t.same(mesh.runs.map(namesOf), [
    ['a', 'b'],
    ['a', 'b'],
  ]);
});

const names = ['a', 'b', 'c', 'd'] as const;
const name = fc.constantFrom(...names);
const services = fc.dictionary(
  fc.constantFrom('shop', 'cart'),
  fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
);
const links = fc.subarray(
  names.flatMap((one) => names.filter((other) => other !== one).map((other) => [one, other] as const)),
);
const change = fc.oneof(
  fc.record({ kind: fc.constant('state' as const), name, services, isOwnNamed: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('cut' as const, 'mend' as const), name, other: name }),
  fc.record({ kind: fc.constant('restart' as const), name, services }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(0, 3_000, 12_000, 31_000, 70_000) }),
  fc.record({ kind: fc.constant('steps' as const), count: fc.nat(40) }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

t.test('whatever happened, what can be reached is served, and of who is gone for ever nothing is left', async (t) => {
  const law = fc.property(
    fc.nat(),
    links,
    fc.array(change, { maxLength: 12 }),
    name,
    (seed, followed, changes, gone) => {
      const mesh = new ControlPlaneMesh(seededRandom(seed));
      const start = (one: string, stated: Services) => {
        const follows = followed.filter(([follower]) => follower === one).map(([, other]) => other);
        mesh.start(one, stated, { follows, timeToLiveMs: one < 'c' ? 10_000 : timeToLiveMs });
      };
      for (const [index, each] of names.entries()) start(each, { [each]: [index + 1], shop: [index + 1] });
      for (const each of changes) {
        apply(mesh, each, start);
        if (each.kind !== 'pass') continue;
        for (const run of mesh.runs) checkServed(run, mesh, 'more');
      }
      mesh.stop(gone);
      for (const [follower, other] of followed) mesh.mend(follower, other);
      mesh.advance(longMs);
      mesh.responses = 0;
      mesh.advance(longMs);
      if (mesh.responses > 0) throw new Error(`${mesh.responses} responses at rest`);
      for (const run of mesh.runs) checkServed(run, mesh, 'exactly');
    },
  );
  const result = fc.check(law, { numRuns: 30 });
  t.equal(result.failed, false, `${result.errorInstance} ${JSON.stringify(result.counterexample)}`);
});

function apply(mesh: ControlPlaneMesh, made: Change, start: (name: string, services: Services) => void): void {
  if (made.kind === 'state') {
    const own = { [`of ${made.name}`]: [9] };
    if (made.isOwnNamed) mesh.run(made.name)!.state({ ...made.services, ...own });
    else mesh.run(made.name)!.state(made.services, own);
  } else if (made.kind === 'restart') start(made.name, made.services);
  else if (made.kind === 'pass') mesh.advance(made.ms);
  else if (made.kind === 'steps') mesh.stepSome(made.count);
  else mesh[made.kind](made.name, made.other);
}

/** Throws when it serves less than what those have that are reached by connections that are there, or, with `exactly`, more. */
function checkServed(run: MeshRun, mesh: ControlPlaneMesh, extent: 'more' | 'exactly'): void {
  if (run.cache.snapshotFor('') === undefined) return;
  const reached = new Set([run]);
  // Runs that are added meanwhile are visited, too.
  for (const { name: follower } of reached) {
    for (const other of mesh.runs) {
      const isServing = other.cache.snapshotFor('') !== undefined;
      if (isServing && [...other.calls].some((call) => call.follower === follower)) reached.add(other);
    }
  }
  const wanted = new Map<string, Set<number>>();
  for (const { services: own } of reached) {
    for (const [service, ports] of Object.entries(own)) {
      wanted.set(service, new Set([...(wanted.get(service) ?? []), ...ports]));
    }
  }
  const served = new Map(Object.entries(run.served()));
  const isMissing = [...wanted].some(([service, ports]) =>
    [...ports].some((port) => !served.get(service)?.includes(port)),
  );
  const isMore = [...served].some(([service, ports]) => ports.some((port) => !wanted.get(service)?.has(port)));
  const origins = new Set([...reached].map(({ origin }) => origin));
  const isTold = run.origins().some((origin) => !origins.has(origin));
  if (isMissing || (extent === 'exactly' && (isMore || isTold))) {
    const text = JSON.stringify([...wanted].map(([service, ports]) => [service, [...ports]]));
    throw new Error(`${run.name} serves ${JSON.stringify([...served])} and tells of ${run.origins()}, not ${text}`);
  }
}
