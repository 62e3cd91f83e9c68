import t from 'tap';
import type { HeaderAddition } from '../../../config/route.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { compileHeaderMutation, type HeaderLevel } from '../../../proxy/route/header-mutation.ts';
import { addition, lines, type RequestParts, request } from '../../support/route-fixtures.ts';

/** The fields behind Host after the levels were applied in order. */
function mutated(levels: readonly Partial<HeaderLevel>[], parts: RequestParts = {}, info = new StreamInfo()) {
  const head = request(parts);
  const mutation = compileHeaderMutation(levels.map((level) => ({ add: [], remove: [], ...level })));
  mutation!.apply(head.headers, { info, request: head, response: null, responseTrailers: null, localReplyBody: '' });
  return lines(head).slice(1);
}

t.test('levels without changes compile to nothing', async (t) => {
  t.equal(compileHeaderMutation([{ add: [], remove: [] }]), null);
  t.equal(compileHeaderMutation([]), null);
});

t.test('every append action does what its name says', async (t) => {
  const changed = (action: HeaderAddition['action'], present: boolean) =>
    mutated([{ add: [addition('X-A', 'new', { action })] }], { headers: present ? [['x-a', 'old']] : [] });
  t.same(changed('append', true), ['x-a: old', 'X-A: new']);
  t.same(changed('append', false), ['X-A: new']);
  t.same(changed('add-if-absent', true), ['x-a: old']);
  t.same(changed('add-if-absent', false), ['X-A: new']);
  t.same(changed('overwrite', true), ['x-a: new']);
  t.same(changed('overwrite', false), ['x-a: new']);
  t.same(changed('overwrite-if-exists', true), ['x-a: new']);
  t.same(changed('overwrite-if-exists', false), []);
});

t.test('a level removes, then evaluates, then overwrites, then adds', async (t) => {
  const add = [
    addition('x-copy', '%REQ(x-a)%'),
    addition('x-a', 'new', { action: 'overwrite' }),
    addition('x-lost', '%REQ(x-gone)%'),
    addition('x-path', '%REQ(:PATH)%'),
  ];
  const headers = [
    ['x-a', 'old'],
    ['x-gone', '1'],
  ] as const;
  t.same(mutated([{ add, remove: ['X-Gone'] }], { path: '/p', headers }), ['x-a: new', 'x-copy: old', 'x-path: /p']);
});

t.test('a level sees what the one before did', async (t) => {
  const levels = [{ add: [addition('x-a', '1')] }, { add: [addition('x-b', '%REQ(x-a)%')], remove: ['x-a'] }];
  t.same(mutated(levels), [], 'removing comes first');
  t.same(mutated([levels[0]!, { add: [addition('x-b', '%REQ(x-a)%')] }]), ['x-a: 1', 'x-b: 1']);
});

t.test('a header without a value is left out unless it is to be kept', async (t) => {
  const add = (value: string, keepEmptyValue: boolean) =>
    mutated([{ add: [addition('x-a', value, { keepEmptyValue })] }]);
  t.same(add('%REQ(x-no)%', false), []);
  t.same(add('%REQ(x-no)%', true), ['x-a: ']);
  t.same(add('', false), []);
  t.same(add('', true), ['x-a: ']);
});

t.test('a line end in configured text cannot end the header', async (t) => {
  const add = [addition('x-a', 'a\nb'), addition('x-b', 'a\r\nb: %REQ(:METHOD)%')];
  t.same(mutated([{ add }]), ['x-a: a\\x0ab', 'x-b: a\\x0d\\x0ab: GET']);
});

t.test('metadata cannot end the header it is written to', async (t) => {
  const info = new StreamInfo();
  info.dynamicMetadata = new Map([['jwt', new Map([['sub', 'a\r\nx-admin: 1\u010a\u0000']])]]);
  const add = [addition('x-sub', '%DYNAMIC_METADATA(jwt:sub)%')];
  t.same(mutated([{ add }], {}, info), ['x-sub: a\\x0d\\x0ax-admin: 1\u00c4\u008a\\x00']);
});
