import t from 'tap';
import { HeldResources } from '../../control-plane/held-resources.ts';
import { servedType } from '../../control-plane/served-type.ts';
import { resourcesOfText, serviceText, typeUrls } from '../support/control-plane-fixtures.ts';

function makeHeld(shortName = 'eds') {
  let changes = 0;
  const type = servedType(typeUrls[shortName]!)!;
  const held = new HeldResources({
    type,
    origin: 'o',
    place: 'east',
    onChange: () => changes++,
    onServedBy: () => undefined,
  });
  const receive = (name: string, version = 'v') => {
    const { message } = resourcesOfText(serviceText(name)).find((resource) => resource.type === type)!;
    return held.onUpdate({ version: 'all', resources: [{ name, version, aliases: [], message }], removed: [] });
  };
  const asked: string[] = [];
  const subscriptions = {
    subscribe: (_: string, name: string) => asked.push(`+${name}`),
    unsubscribe: (_: string, name: string) => asked.push(`-${name}`),
  };
  return {
    held,
    receive,
    asked,
    changes: () => changes,
    want: (...names: string[]) => held.subscribeTo(new Set(names), subscriptions),
  };
}

t.test('what is received is held, with the versions of its source', async (t) => {
  const { held, receive, changes } = makeHeld();
  t.same(receive('a', '7'), [], 'others judge it');
  t.same([...held.heldVersions()], [['a', '7']]);
  t.match(held.byName.get('a'), { name: 'a', place: 'east', version: /^[\w-]{12}$/ });
  t.equal(changes(), 1);
});

t.test('bytes are copied out of the response, and may be anything', async (t) => {
  const { held } = makeHeld('cds');
  const message = Uint8Array.of(0xff);
  held.onUpdate({ version: '', resources: [{ name: 'x', version: '', aliases: [], message }], removed: [] });
  message[0] = 0;
  t.same(held.byName.get('x')!.message, Uint8Array.of(0xff));
  held.onUpdate({ version: '', resources: [{ name: 'x', version: '', aliases: [], message: undefined }], removed: [] });
  t.ok(held.byName.has('x'), 'a heartbeat brings nothing new');
});

t.test('what was asked for is awaited until it came, or is known not to be there', async (t) => {
  const { held, receive, want, asked } = makeHeld();
  want('a', 'b', 'c');
  t.ok(held.isAwaiting);
  receive('a');
  held.onAbsent('b');
  t.same(
    ['a', 'b', 'c', 'd'].map((name) => held.awaits(name)),
    [false, false, true, false],
  );
  held.onUpdate({ version: '', resources: [], removed: ['c'] });
  t.notOk(held.isAwaiting);
  want('b');
  t.same(asked, ['+a', '+b', '+c', '-a', '-c']);
  t.same([...held.byName.keys()], [], 'what is let go is dropped');
});

t.test('what is forgotten is awaited again', async (t) => {
  const { held, receive, want } = makeHeld();
  want('a');
  receive('a');
  held.forget();
  t.same([...held.heldVersions()], []);
  t.ok(held.awaits('a'));
  t.equal(held.seen.size, 0);
});

t.test('what was not there is asked for anew when it is forgotten, or let go and wanted again', async (t) => {
  const { held, want } = makeHeld();
  want('a');
  held.onAbsent('a');
  t.notOk(held.awaits('a'));
  held.forget();
  t.ok(held.awaits('a'), 'the source may have it when it is back');
  held.onAbsent('a');
  want();
  want('a');
  t.ok(held.awaits('a'), 'it was not said of this subscription');
});

t.test('how far away origins are is said by each answer, until it is forgotten or nothing is asked for', async (t) => {
  const { held, want } = makeHeld();
  const hopsAfter = (version: string) => {
    held.onUpdate({ version, resources: [], removed: [] });
    return [...held.hops];
  };
  t.same(hopsAfter('hash;a=7,b=2;;a;a=1,b=3'), [
    ['a', 1],
    ['b', 3],
  ]);
  t.same(hopsAfter('hash;a=7,b=2;;a;a=1'), [['a', 1]]);
  t.same(hopsAfter('hash;a=7,b=2;;a;'), [], 'nobody can be reached');
  t.same(
    hopsAfter('hash;a=7,b=2;;a'),
    [
      ['a', 1],
      ['b', 1],
    ],
    'one that does not say may be any of them',
  );
  for (const wrong of ['a', 'a=0', 'a=1,a=2', '%=1', 'a=1.5']) {
    t.same(
      hopsAfter(`hash;a=7,b=2;;a;${wrong}`),
      [
        ['a', 1],
        ['b', 1],
      ],
      wrong,
    );
  }
  t.same(hopsAfter('of one that counts nothing'), [['o/eds', 1]]);
  want('a');
  t.same(hopsAfter('hash;a=7;;a;a=1'), [['a', 1]]);
  want();
  t.same(hopsAfter('hash;a=7;;a;a=1'), [], 'what was on its way when all was let go');
  want('b');
  t.same(hopsAfter('hash;a=8;;a;a=1'), [['a', 1]]);
  held.forget();
  t.same([...held.hops], []);
});

t.test('that it is another state is told by its revision, and an answer with distances alone is none', async (t) => {
  const { held, receive, want } = makeHeld();
  const isAnother = (change: () => unknown) => {
    const { revision } = held;
    change();
    return held.revision !== revision;
  };
  const hear = (version: string, removed: readonly string[] = []) => held.onUpdate({ version, resources: [], removed });
  t.ok(isAnother(() => want('a', 'b')));
  t.notOk(isAnother(() => want('b', 'a')));
  t.ok(isAnother(() => receive('a')));
  t.ok(isAnother(() => hear('hash;a=7;;a;a=1')));
  t.notOk(isAnother(() => hear('hash;a=7;;a;a=2')));
  t.ok(isAnother(() => hear('hash;a=7;;a;a=2', ['a'])));
  t.ok(isAnother(() => held.onAbsent('b')));
  t.ok(isAnother(() => want('a')));
  t.ok(isAnother(() => held.forget()));
});

t.test('of what was merged it is known whose which endpoint is', async (t) => {
  const { held, receive } = makeHeld();
  receive('a', 'hash;x=1,y=2;1*1.2*1');
  t.match(held.byName.get('a'), { shares: '1*1.2*1' });
  t.same(
    held.byName.get('a')?.changes,
    new Map([
      ['x', 1],
      ['y', 2],
    ]),
  );
});
