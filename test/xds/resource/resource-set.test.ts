import t from 'tap';
import type { Problems } from '../../../config/problems.ts';
import type { ReceivedResource } from '../../../xds/client/discovery.ts';
import type { ResourceDecoder } from '../../../xds/resource/resource-decoder.ts';
import {
  type OnDemandAnswers,
  type Removal,
  ResourceSet,
  type ResourceUser,
} from '../../../xds/resource/resource-set.ts';
import { assignment, encodedOf } from '../../support/assembly-bench.ts';
import { onlyItems } from '../../support/only-items.ts';

const messageName = 'envoy.config.endpoint.v3.ClusterLoadAssignment';

/** Takes bytes for text; those with `wrong` in them are refused. */
function makeSet({
  needed = null as readonly string[] | null,
  removal = 'gone' as Removal,
  isDecodedAhead = false,
} = {}) {
  const taken: string[] = [];
  const decoded: string[] = [];
  const absent: string[] = [];
  let answers = 0;
  const user: ResourceUser<string> = {
    ...(needed !== null && {
      names: {
        needs: (name: string) => needed.includes(name),
        onAbsent: (name: string) => absent.push(name),
        onRefused: (name: string) => absent.push(`${name} refused`),
      },
    }),
    set({ name, value }, problems) {
      if (value.includes('taken')) problems.at('address').add('is taken');
      else taken.push(`${name}=${value}`);
    },
    remove(name) {
      taken.push(`${name} removed`);
      return removal;
    },
    onAnswer: () => answers++,
    stateOf: (name) => (name === 'w' ? 'warming' : 'active'),
  };
  const decoder: ResourceDecoder<string> = {
    type: { typeUrl: `type.googleapis.com/${messageName}`, shortName: 'x', nameOf: (message) => textOf(message)[0]! },
    isSentUnderOwnName: true,
    isDecodedAhead,
    decode(message: Uint8Array, problems: Problems) {
      const text = textOf(message);
      decoded.push(text);
      if (text.includes('wrong')) problems.at('field').add('is wrong');
      return text.includes('nothing') ? undefined : text;
    },
  };
  let nowMs = 0;
  const set = new ResourceSet({ decoder, user, clock: () => nowMs });
  const update = (resources: readonly ReceivedResource[], removed: readonly string[] = []) => {
    nowMs += 10;
    const refused = set.onUpdate({ version: '', resources, removed });
    return refused.map(({ name, problems }) => `${name}: ${problems[0]?.path}: ${problems[0]?.message}`);
  };
  const setOf = (more: Partial<ResourceUser<string>>) =>
    new ResourceSet({ decoder, user: { ...user, ...more }, clock: () => nowMs });
  return { set, setOf, update, taken, decoded, absent, answers: () => answers };
}

const textOf = (message: Uint8Array) => Buffer.from(message).toString();
const sent = (name: string, text: string, version = '1'): ReceivedResource => ({
  name,
  version,
  aliases: [],
  message: Buffer.from(text),
});

t.test('what is right is taken, what is wrong is returned, and the state before stays', async (t) => {
  const { set, update, taken } = makeSet();
  t.same(update([sent('a', 'a1'), sent('b', 'b wrong'), sent('c', 'c taken')]), [
    'b: field: is wrong',
    'c: address: is taken',
  ]);
  t.same(update([sent('a', 'a wrong', '2')]), ['a: field: is wrong']);
  t.same(taken, ['a=a1']);
  t.same([...set.heldVersions()], [['a', '1']]);
});

t.test('a resource of which nothing can be made is refused', async (t) => {
  const { set, update } = makeSet();
  t.same(update([sent('a', 'a nothing')]), ['a: : cannot be read']);
  t.same([...set.heldVersions()], []);
});

t.test('an unchanged resource is not decoded, and has the new version', async (t) => {
  const { set, update, decoded } = makeSet();
  update([sent('a', 'a1', '1')]);
  t.same(update([sent('a', 'a1', '2')]), []);
  t.same(decoded, ['a1']);
  t.same([...set.heldVersions()], [['a', '2']]);
});

t.test('a heartbeat changes nothing', async (t) => {
  const { set, update, taken } = makeSet();
  update([sent('a', 'a1')]);
  t.same(update([{ name: 'a', version: '1', aliases: [], ttlMs: 5, message: undefined }]), []);
  t.same(taken, ['a=a1']);
  t.same([...set.heldVersions()], [['a', '1']]);
});

t.test('a resource expires when the last word on it gave it a time to live', async (t) => {
  const { set, update } = makeSet();
  const expiring = () => [...set.held()].filter(([, { expires }]) => expires).map(([name]) => name);
  update([{ ...sent('a', 'a1'), ttlMs: 5 }, sent('b', 'b1'), sent('c', 'c1')]);
  t.same(expiring(), ['a']);
  update([sent('a', 'a1'), { ...sent('b', 'b1'), ttlMs: 5 }]);
  t.same(expiring(), ['b'], 'also when it did not change');
  update([{ name: 'c', version: '1', aliases: [], ttlMs: 5, message: undefined }]);
  t.same(expiring(), ['b', 'c'], 'and by a heartbeat');
});

t.test('the response is not kept in memory', async (t) => {
  const { set, update } = makeSet();
  const response = Buffer.from('a1a2');
  update([{ name: 'a', version: '1', aliases: [], message: response.subarray(0, 2) }]);
  response.fill('x');
  const held = [...set.held()].map(([name, { version, bytes }]) => [name, version, textOf(bytes)]);
  t.same(held, [['a', '1', 'a1']]);
  t.equal([...set.held()][0]![1].bytes.buffer.byteLength, 2);
});

t.test('a name that is there twice is refused, a resource under another name too', async (t) => {
  const { update, taken } = makeSet();
  t.same(update([sent('a', 'a1'), sent('b', 'b1'), sent('a', 'a2')]), ['a: : is more than once in one response']);
  t.same(update([sent('c', 'd1'), sent('', 'x')]), [
    'c: name: is "d", but the resource was sent as "c"',
    ': name: a resource needs a name',
  ]);
  t.same(taken, ['b=b1']);
});

t.test('removed resources go before those of the same response come', async (t) => {
  const { set, update, taken } = makeSet();
  update([sent('a', 'a1')]);
  update([sent('b', 'b1')], ['a', 'never']);
  t.same(taken, ['a=a1', 'a removed', 'b=b1']);
  t.same([...set.heldVersions()], [['b', '1']]);
});

t.test('a removed resource that still serves is shown and not held; it may come back', async (t) => {
  const { set, update, taken } = makeSet({ removal: 'draining' });
  update([sent('a', 'a1')]);
  update([], ['a']);
  t.same([...set.heldVersions()], []);
  t.same([...set.held()], []);
  t.match(set.statuses(), onlyItems({ name: 'a', state: 'draining' }));
  update([], ['a']);
  t.same(taken, ['a=a1', 'a removed'], 'it is removed once');
  update([sent('a', 'a1')]);
  t.same(taken, ['a=a1', 'a removed', 'a=a1']);
  t.match(set.statuses(), onlyItems({ name: 'a', state: 'active' }));
  set.onDrained('a');
  t.same([...set.heldVersions()], [['a', '1']]);
  update([], ['a']);
  set.onDrained('a');
  t.same(set.statuses(), []);
});

t.test('a removal that is ignored leaves the resource held', async (t) => {
  const { set, update } = makeSet({ removal: 'kept' });
  update([sent('a', 'a1')]);
  update([], ['a']);
  t.same([...set.heldVersions()], [['a', '1']]);
});

t.test('what nobody needs is passed over, what does not come is known to be absent', async (t) => {
  const { set, update, taken, absent } = makeSet({ needed: ['a', 'b'] });
  t.same(update([sent('x', 'x wrong')], ['b', 'y']), []);
  set.onAbsent('a');
  set.onAbsent('x');
  t.same([taken, absent], [[], ['b', 'a']]);
  t.same(
    set.statuses().map(({ name, state }) => `${name} ${state}`),
    ['b absent', 'a absent'],
  );
  update([sent('a', 'a1')]);
  t.same(
    set
      .statuses()
      .map(({ name, state }) => `${name} ${state}`)
      .sort(),
    ['a active', 'b absent'],
  );
  set.onAbsent('a');
  t.same(absent, ['b', 'a'], 'what is held is not absent');
  set.forget('b');
  t.equal(set.statuses().length, 1);
});

t.test('a refusal of what has no older state is told', async (t) => {
  const { update, absent } = makeSet({ needed: ['a', 'b'] });
  update([sent('a', 'a1'), sent('b', 'b wrong')]);
  update([sent('a', 'a wrong')]);
  t.same(absent, ['b refused']);
});

t.test('every response is an answer, and so is the end of the wait for everything', async (t) => {
  const { set, update, answers } = makeSet();
  update([]);
  set.onAbsent('*');
  t.equal(answers(), 2);
  t.same(set.statuses(), []);
});

t.test('what is held and what was refused is shown with times and documents', async (t) => {
  const { set, update } = makeSet();
  update([sent('a', 'a1'), sent('w', 'w1')]);
  update([sent('a', 'a wrong', '2'), sent('b', 'b wrong', '3')]);
  const statuses = new Map(set.statuses().map((status) => [status.name, status]));
  t.match(statuses.get('a'), { version: '1', lastUpdatedMs: 10, state: 'active', refused: { version: '2', atMs: 20 } });
  t.match(statuses.get('b'), { version: '3', state: 'refused', refused: { problems: onlyItems({ path: 'field' }) } });
  t.equal(statuses.get('b')!.document(), undefined);
  t.match(statuses.get('w'), { state: 'warming' });
  update([sent('a', 'a1', '4')]);
  t.notOk('refused' in set.statuses()[0]!, 'accepted again');
});

t.test('a refusal that nobody is to hear of any more is forgotten, what is held is not', async (t) => {
  const { set, update } = makeSet();
  update([sent('a', 'a1')]);
  update([sent('a', 'a wrong'), sent('b', 'b wrong')]);
  for (const name of ['a', 'b']) set.forgetRefused(name);
  t.same(
    set.statuses().map(({ name, state }) => `${name} ${state}`),
    ['a active'],
  );
  t.notOk('refused' in set.statuses()[0]!);
});

t.test('what was let go between two steps is not told to be gone: it may have been asked for again', async (t) => {
  const made = makeSet();
  const told: string[] = [];
  const onDemand: OnDemandAnswers = {
    onCame: (name, _aliases, isHeld) => told.push(`${name} ${isHeld}`),
    onGone: (name) => told.push(`${name} gone`),
    isAsked: () => true,
  };
  const set = made.setOf({ onDemand });
  const resources = ['a', 'b wrong', 'c wrong', 'd'].map((text) => sent(text[0]!, text));
  const steps = set.takeOver({ version: '', resources, removed: [] });
  for (const _ of resources) steps.next();
  set.forget('a');
  set.forget('b');
  while (steps.next().done !== true);
  t.same(told, ['c false', 'd true']);
});

t.test('the document of a resource is its JSON', async (t) => {
  const { set } = makeSet();
  const message = encodedOf(messageName, assignment('a', 1));
  const a: ReceivedResource = { name: '\n', version: '', aliases: [], message };
  set.onUpdate({ version: '', resources: [a], removed: [] });
  t.match(JSON.stringify(set.statuses()[0]!.document()), /"port_value":1/);
});

/** Every step of preparing them. */
function prepareAll({ set }: ReturnType<typeof makeSet>, resources: readonly ReceivedResource[]): number {
  const messages = resources.map(({ name, message }) => ({ name, message: message! }));
  const steps = set.prepare(messages);
  let count = 0;
  while (steps?.next().done === false) count++;
  return count;
}

t.test('what is decoded ahead is decoded once, a resource a step, and nobody sees it before its turn', async (t) => {
  const made = makeSet({ isDecodedAhead: true });
  const { set, update, taken, decoded } = made;
  const resources = [sent('a', 'a 1'), sent('b', 'b wrong'), sent('c', 'c nothing')];
  t.equal(prepareAll(made, resources), 3);
  t.same([decoded, taken, [...set.heldVersions()]], [['a 1', 'b wrong', 'c nothing'], [], []]);
  t.same(update(resources), ['b: field: is wrong', 'c: : cannot be read']);
  t.same([decoded.length, taken, [...set.heldVersions()]], [3, ['a=a 1'], [['a', '1']]]);
});

t.test(
  'what is known or not needed is not decoded ahead; when that has changed it is decoded in its turn',
  async (t) => {
    const needed = ['a', 'b'];
    const made = makeSet({ isDecodedAhead: true, needed });
    const { update, taken, decoded } = made;
    const first = [sent('a', 'a 1')];
    update(first);
    const resources = [sent('a', 'a 1', '2'), sent('b', 'b 1'), sent('c', 'c 1')];
    prepareAll(made, resources);
    t.same(decoded.splice(0), ['a 1', 'b 1']);
    needed.push('c');
    update([sent('a', 'a 2')]);
    update(resources);
    t.same(decoded, ['a 2', 'a 1', 'c 1']);
    t.same(taken, ['a=a 1', 'a=a 2', 'a=a 1', 'b=b 1', 'c=c 1']);
  },
);

t.test('what the bytes alone do not say is not decoded ahead', async (t) => {
  t.equal(makeSet().set.prepare([]), undefined);
});
