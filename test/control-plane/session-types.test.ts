import t from 'tap';
import { maxNamesOfStream, maxTypesOfStream } from '../../control-plane/discovery-session.ts';
import { SessionTypes } from '../../control-plane/session-types.ts';
import { typeUrls } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

const silent = { node: undefined, responseNonce: '', refusal: undefined };

t.test('types are in the order in which changes are sent, whatever was asked for first', async (t) => {
  const types = new SessionTypes();
  const [routes, clusters] = [types.begin(typeUrls['rds']!), types.begin(typeUrls['cds']!)];
  t.same(types.inOrder, [clusters, routes]);
  t.equal(types.get(typeUrls['rds']!), routes);
  t.equal(types.get(typeUrls['lds']!), undefined);
  t.same(
    types.status().map(({ typeUrl }) => typeUrl),
    [typeUrls['cds'], typeUrls['rds']],
  );
});

t.test('an answer counts for the response that it names, and a refusal is told on', async (t) => {
  const types = new SessionTypes();
  const type = types.begin('t');
  type.onSent('1', 'v1');
  type.onSent('2', 'v2');
  t.same(types.finish(type, silent, 5), { kind: 'taken', node: undefined, refusal: undefined });
  t.same(types.finish(type, { ...silent, responseNonce: '1' }, 6), {
    kind: 'taken',
    node: undefined,
    refusal: undefined,
  });
  t.match(types.status(), onlyItems({ lastAck: { version: 'v1', atMs: 6 } }));
  const refused = types.finish(type, { ...silent, responseNonce: '2', refusal: 'no' }, 7);
  t.same(refused, { kind: 'taken', node: undefined, refusal: { typeUrl: 't', version: 'v2', text: 'no' } });
});

t.test('too many names, or types, of all together end the stream', async (t) => {
  const types = new SessionTypes();
  const [first, second] = [types.begin('a'), types.begin('b')];
  for (let index = 0; index < maxNamesOfStream; index++) (index % 2 === 0 ? first.names : second.names).add(`${index}`);
  t.match(types.finish(first, silent, 0), { kind: 'taken' });
  second.held.set('x', '');
  t.match(types.finish(first, silent, 0), { kind: 'failed', code: 'RESOURCE_EXHAUSTED' });
  const many = new SessionTypes();
  for (let index = 0; index < maxTypesOfStream; index++) many.begin(`${index}`);
  t.match(many.finish(many.get('0')!, silent, 0), { kind: 'taken' });
  t.match(many.finish(many.begin('more'), silent, 0), { kind: 'failed', code: 'RESOURCE_EXHAUSTED' });
});

t.test('assignments are sent again with their clusters, those that were sent', async (t) => {
  const types = new SessionTypes();
  types.resendAssignments(['a']);
  const assignments = types.begin(typeUrls['eds']!);
  assignments.held.set('a', '1').set('b', '1');
  types.resendAssignments([undefined, 'a', 'never sent']);
  t.same([...assignments.held.keys()], ['b']);
});
