import t from 'tap';
import type { ConfigSource } from '../../../config/config-source.ts';
import { isSettled, SubscribedType } from '../../../xds/assembly/subscribed-type.ts';
import { loadAssignmentDecoder } from '../../../xds/resource/load-assignment-resource.ts';
import { assignment, receivedOf } from '../../support/assembly-bench.ts';

const ads: ConfigSource = { kind: 'ads', initialFetchTimeoutMs: 7 };
const file: ConfigSource = { kind: 'path', path: '/eds.yaml', initialFetchTimeoutMs: 0 };

function makeType(removal: 'ignored' | 'honoured' = 'ignored') {
  const calls: string[] = [];
  const type = new SubscribedType<object, string>({
    decoder: loadAssignmentDecoder,
    sources: {
      problemWith: () => undefined,
      nameOf: ({ kind }) => kind,
      subscriptions: ({ kind }) => ({
        subscribe: (_typeUrl, name, timeoutMs) => calls.push(`+${kind} ${name} ${timeoutMs}`),
        unsubscribe: (_typeUrl, name) => calls.push(`-${kind} ${name}`),
      }),
    },
    clock: () => 0,
    removal,
    onChange: ({ name, value, users }, wasMissing) =>
      calls.push(
        `${name} ${value === undefined ? 'missing' : 'there'} for ${[...users]}${wasMissing ? ' at last' : ''}`,
      ),
    onLetGo: ({ name }) => calls.push(`${name} let go`),
  });
  const update = (sourceName: string, name: string, yaml: string | null = assignment(name, 1)) =>
    type.resourceSet(sourceName).onUpdate({
      version: '',
      resources: yaml === null ? [] : [receivedOf('eds', name, { yaml, version: '' })],
      removed: yaml === null ? [name] : [],
    });
  return { type, calls, update };
}

t.test('a name is subscribed to by its first user and let go after its last', async (t) => {
  const { type, calls, update } = makeType();
  const used = type.use(ads, 'a', 'x');
  t.equal(type.use(ads, 'a', 'y'), used);
  update('ads', 'a');
  type.release(used, 'x');
  type.letGoUnused();
  type.release(used, 'y');
  t.same(calls, ['+ads a 7', 'a there for x,y']);
  t.equal([...type.resourceSet('ads').heldVersions()].length, 1);
  type.letGoUnused();
  t.same(calls.slice(2), ['-ads a', 'a let go']);
  t.equal([...type.resourceSet('ads').heldVersions()].length, 0);
});

t.test('a name that is used again before it is let go stays', async (t) => {
  const { type, calls } = makeType();
  type.release(type.use(ads, 'a', 'x'), 'x');
  type.use(ads, 'a', 'y');
  type.letGoUnused();
  t.same(calls, ['+ads a 7']);
});

t.test('the same name of two sources is two resources', async (t) => {
  const { type, calls, update } = makeType();
  type.use(ads, 'a', 'x');
  t.equal(type.otherSourceOf(file, 'a'), 'ads');
  t.equal(type.otherSourceOf(ads, 'a'), undefined);
  type.use(file, 'a', 'y');
  update('path', 'a');
  t.same(calls, ['+ads a 7', '+path a 0', 'a there for y']);
  t.same(
    type.statuses().map(({ name, state }) => `${name} ${state}`),
    ['a active'],
  );
});

t.test('users are told what does not come, what is refused, and what comes late', async (t) => {
  const { type, calls, update } = makeType();
  const a = type.use(ads, 'a', 'x');
  t.same([isSettled(a, false), isSettled(a, true)], [false, false]);
  update('ads', 'a', '{cluster_name: b}');
  t.same([isSettled(a, false), isSettled(a, true)], [true, false], 'refused');
  type.resourceSet('ads').onAbsent('a');
  t.same([isSettled(a, false), isSettled(a, true)], [true, true], 'absent');
  update('ads', 'a');
  t.same([isSettled(a, false), isSettled(a, true)], [true, true], 'there');
  t.same(calls.slice(1), ['a missing for x', 'a missing for x at last', 'a there for x at last']);
});

t.test('a removal is ignored, or takes effect', async (t) => {
  const ignoring = makeType();
  ignoring.type.use(ads, 'a', 'x');
  ignoring.update('ads', 'a');
  ignoring.update('ads', 'a', null);
  t.same(ignoring.calls.slice(1), ['a there for x']);
  const following = makeType('honoured');
  following.type.use(ads, 'a', 'x');
  following.update('ads', 'a');
  following.update('ads', 'a', null);
  t.same(following.calls.slice(1), ['a there for x', 'a missing for x']);
});
