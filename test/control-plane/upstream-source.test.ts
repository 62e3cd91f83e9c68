// Against a control plane that a test plays itself: what is asked for, what is stated, and for how long.

import t from 'tap';
import { readDeltaRequest, writeDeltaResponse } from '../../control-plane/discovery-message.ts';
import { ResourceUnion, type StatedType } from '../../control-plane/resource-union.ts';
import { UpstreamSource } from '../../control-plane/upstream-source.ts';
import type { DiscoveryStreamEvents } from '../../xds/client/transport.ts';
import { resourcesOfText, typeUrls } from '../support/control-plane-fixtures.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** `clock` is the wall clock of the source's machine. */
function makeSource(options: { readonly timeToLiveMs?: number; readonly clock?: () => number } = {}) {
  const timers = new Set<Timer>();
  const deferred: (() => void)[] = [];
  const streams: DiscoveryStreamEvents[] = [];
  const requests: string[] = [];
  let nowMs = 0;
  let changes = 0;
  let nonce = 0;
  const runDeferred = () => {
    for (let next = deferred.shift(); next !== undefined; next = deferred.shift()) next();
  };
  const source = new UpstreamSource({
    name: 'east',
    nodeId: 'node',
    origin: 'here/run/east',
    transport: {
      target: 'east:1',
      open(events) {
        streams.push(events);
        return { send: (encode) => record(encode()), cancel: () => {} };
      },
      close: () => {},
    },
    timeToLiveMs: options.timeToLiveMs ?? 60_000,
    clock: options.clock ?? (() => 0),
    random: () => 0.5,
    schedule: (delayMs, callback) => {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    defer: (callback) => deferred.push(callback),
    log: () => {},
    onChange: () => changes++,
  });
  function record(bytes: Uint8Array): void {
    const { typeUrl, subscribe, unsubscribe, held, responseNonce } = readDeltaRequest(bytes)!;
    if (responseNonce !== '') return;
    const type = Object.entries(typeUrls).find(([, url]) => url === typeUrl)![0];
    requests.push(`${type} +${subscribe} -${unsubscribe} held ${[...held.keys()]}`);
  }
  return {
    source,
    start() {
      source.start();
      runDeferred();
    },
    /** What was asked since the last call, without acknowledgements. */
    asked: () => requests.splice(0),
    changes: () => changes,
    names: (shortName: string) => [...typeOf(source, shortName).byName.keys()],
    answer(shortName: string, text: string, { version = 'v', removed = [] as string[] } = {}) {
      const resources = resourcesOfText(text)
        .filter(({ type }) => type.shortName === shortName)
        .map(({ name, message }) => ({ name, version, message }));
      const response = { typeUrl: typeUrls[shortName]!, version, nonce: String(++nonce), resources, removed };
      streams.at(-1)!.onMessage(writeDeltaResponse(response));
      runDeferred();
    },
    breakStream() {
      streams.at(-1)!.onEnd({ code: 14, reason: 'gone' });
      runDeferred();
    },
    advance(ms: number) {
      nowMs += ms;
      for (const timer of [...timers].filter(({ atMs }) => atMs <= nowMs)) {
        timers.delete(timer);
        timer.callback();
      }
      runDeferred();
    },
  };
}

function typeOf(source: UpstreamSource, shortName: string): StatedType {
  return source.statement().types.get(typeUrls[shortName]!)!;
}

/** A cluster that lists its endpoints, and so needs nothing else. */
const listed = (name: string) => `service: ${name}\nendpoints: [name.example:9]\n`;
const shop = 'service: shop\nlisten: 127.0.0.1:1\nendpoints: [127.0.0.1:9]\n';

t.test('everything is followed: clusters and listeners, and what they name', async (t) => {
  const { start, asked, answer, names, source, changes } = makeSource();
  start();
  t.ok(source.isAwaited);
  t.same(
    asked().map((line) => line.slice(0, 3)),
    ['cds', 'lds'],
  );
  answer('cds', shop);
  t.same(asked(), ['eds +shop - held ']);
  t.ok(typeOf(source, 'eds').awaits('shop'));
  answer('lds', shop);
  t.same(asked(), ['rds +shop - held ']);
  t.same(['cds', 'lds'].map(names), [[], []], 'not before what they need has come');
  t.ok(typeOf(source, 'cds').awaits('shop'), 'it is not taken for removed');
  answer('eds', shop);
  t.ok(source.isAwaited);
  answer('rds', shop);
  t.notOk(source.isAwaited);
  t.same(['cds', 'eds', 'lds', 'rds'].map(names), [['shop'], ['shop'], ['shop'], ['shop']]);
  t.notOk(typeOf(source, 'eds').awaits('shop'));
  t.equal(changes(), 4);
});

t.test('what is needed and not there is not waited for any longer', async (t) => {
  const { start, answer, names } = makeSource();
  start();
  answer('cds', shop);
  t.same(names('cds'), []);
  answer('eds', '# nothing', { removed: ['shop'] });
  t.same([names('cds'), names('eds')], [['shop'], []]);
});

t.test('what names are asked for is stated, with what needs them', async (t) => {
  const { start, answer, source } = makeSource();
  start();
  const asked = () => typeOf(source, 'eds').asked!;
  const { revision } = typeOf(source, 'eds');
  t.same([asked().has('shop'), asked().needing('shop')], [false, []]);
  answer('cds', shop);
  answer('eds', shop);
  const needing = asked().needing('shop');
  t.same([asked().has('shop'), needing.map(({ type, name }) => [type.shortName, name])], [true, [['cds', 'shop']]]);
  t.same([...asked().by.byName.keys()], ['shop']);
  answer('lds', shop);
  t.same(typeOf(source, 'rds').asked!.needing('shop')[0]?.type.shortName, 'lds');
  t.not(typeOf(source, 'eds').revision, revision);
  const before = typeOf(source, 'eds').revision;
  answer('cds', listed('other'));
  t.not(typeOf(source, 'eds').revision, before, 'it is another when what needs names is');
});

t.test('what is removed is let go with what it named', async (t) => {
  const { start, asked, answer, names } = makeSource();
  start();
  answer('cds', shop);
  answer('eds', shop);
  asked();
  answer('cds', '# nothing', { removed: ['shop'] });
  t.same(asked(), ['eds + -shop held ']);
  t.same([names('cds'), names('eds')], [[], []]);
});

t.test('changes of a control plane that does not count them are counted here', async (t) => {
  const { start, answer, source } = makeSource();
  start();
  answer('cds', listed('shop'));
  t.same(typeOf(source, 'cds').byName.get('shop')!.changes, new Map([['here/run/east/cds', 1]]));
  answer('cds', listed('shop'));
  t.same(typeOf(source, 'cds').byName.get('shop')!.changes, new Map([['here/run/east/cds', 2]]));
  t.same(typeOf(source, 'cds').seen, new Map([['here/run/east/cds', 2]]));
});

t.test('changes that are counted by the source are taken as they are', async (t) => {
  const { start, answer, source } = makeSource();
  start();
  answer('cds', listed('shop'), { version: 'hash;west=7' });
  t.same(typeOf(source, 'cds').byName.get('shop')!.changes, new Map([['west', 7]]));
  t.same(typeOf(source, 'cds').seen, new Map([['west', 7]]));
});

t.test('the run that answered last is known, where it says who it is', async (t) => {
  const { start, answer, source } = makeSource();
  start();
  const runs = ['hash', 'hash;a=1;;first', 'hash;a=1', 'hash;a=1;;second'].map((version) => {
    answer('cds', listed('shop'), { version });
    return source.servedBy;
  });
  t.same(runs, ['', 'first', 'first', 'second']);
});

t.test('what a run said of a type is not over before the next one has answered for that type', async (t) => {
  const { start, answer, breakStream, advance, source } = makeSource();
  start();
  const types = ['cds', 'lds', 'eds', 'rds'];
  const version = (run: string) => `hash;${run}=1;;${run};${run}=1`;
  for (const type of types) answer(type, shop, { version: version('first') });
  const served = () =>
    new ResourceUnion()
      .unite([{ types: new Map() }, source.statement()])
      .resources.map(({ type, changes }) => `${type.shortName} ${[...changes.keys()]}`)
      .sort();
  t.same(served(), ['cds first', 'eds first', 'lds first', 'rds first']);
  breakStream();
  advance(40_000);
  answer('cds', shop, { version: version('second') });
  t.same(served(), ['cds second', 'eds first', 'lds first', 'rds first'], 'clients keep their endpoints and listeners');
  for (const type of types.slice(1)) answer(type, shop, { version: version('second') });
  t.same(served(), ['cds second', 'eds second', 'lds second', 'rds second']);
});

t.test('what something is awaited of is not told as seen: who states it himself would take it for over', async (t) => {
  const { start, answer, breakStream, advance, source } = makeSource();
  start();
  const told = () => ['cds', 'eds', 'lds', 'rds'].map((shortName) => typeOf(source, shortName).told!.get('a') ?? 0);
  const version = (count: number) => ({ version: `hash;a=${count};;a;a=1` });
  answer('cds', shop, version(4));
  answer('lds', '# none', version(4));
  t.same([typeOf(source, 'cds').seen.get('a'), told()], [4, [0, 0, 4, 0]]);
  answer('eds', shop, version(4));
  t.same(told(), [4, 4, 4, 0]);
  answer('cds', `${shop}---\n${shop.replaceAll('shop', 'cart').replace(':1\n', ':2\n')}`, version(6));
  answer('eds', shop, version(7));
  t.same(told(), [4, 4, 4, 0], 'as before, of both');
  answer('eds', shop.replaceAll('shop', 'cart'), version(7));
  t.same(told(), [6, 7, 4, 0]);
  breakStream();
  advance(60_000);
  t.same(told(), [0, 0, 0, 0]);
});

t.test('a lost source keeps its last state until its time to live is over', async (t) => {
  const { start, answer, breakStream, advance, names } = makeSource({ timeToLiveMs: 60_000 });
  start();
  answer('cds', listed('shop'));
  breakStream();
  advance(59_999);
  t.same(names('cds'), ['shop']);
  advance(1);
  t.same(names('cds'), []);
});

t.test('of a source that is lost for too long nothing is left, of no type', async (t) => {
  const { start, answer, breakStream, advance, names } = makeSource({ timeToLiveMs: 60_000 });
  start();
  const types = ['cds', 'eds', 'lds', 'rds'] as const;
  for (const type of types) answer(type, shop);
  t.same(types.map(names), [['shop'], ['shop'], ['shop'], ['shop']]);
  breakStream();
  advance(60_000);
  t.same(types.map(names), [[], [], [], []]);
});

t.test('a source that comes back in time says what changed, and its time to live begins anew', async (t) => {
  const { start, answer, breakStream, advance, names, asked } = makeSource({ timeToLiveMs: 60_000 });
  start();
  answer('cds', listed('shop'));
  breakStream();
  asked();
  advance(59_000);
  t.matchOnly(asked(), [/^cds .* held shop$/, /^lds /], 'it is told what is held');
  answer('cds', listed('cart'), { removed: ['shop'] });
  advance(120_000);
  t.same(names('cds'), ['cart'], 'it is not lost any more');
});

t.test('0 keeps the last state for ever', async (t) => {
  const { start, answer, breakStream, advance, names } = makeSource({ timeToLiveMs: 0 });
  start();
  answer('cds', listed('shop'));
  breakStream();
  advance(2 ** 40);
  t.same(names('cds'), ['shop']);
});

t.test('a source that does not answer at the start is not waited for without end', async (t) => {
  const { start, source, advance, changes } = makeSource();
  start();
  advance(4_999);
  t.ok(source.isAwaited);
  advance(1);
  t.notOk(source.isAwaited);
  t.ok(changes() >= 1, 'others are served then');
});

t.test('no wall clock decides: not one that jumps back and forth by years', async (t) => {
  const statesWith = (clock: () => number) => {
    const { start, answer, breakStream, advance, names, source } = makeSource({ clock });
    start();
    answer('cds', listed('shop'));
    const states = [names('cds')];
    breakStream();
    advance(30_000);
    answer('cds', listed('cart'));
    states.push(names('cds'));
    breakStream();
    advance(60_000);
    states.push(names('cds'));
    return { states, seen: typeOf(source, 'cds').seen };
  };
  let turn = 0;
  const year = 365 * 86_400_000;
  t.same(
    statesWith(() => (turn++ % 2 === 0 ? 80 * year : -5 * year)),
    statesWith(() => 0),
  );
});
