import t from 'tap';
import { ConfigError, Problems } from '../../config/problems.ts';

t.test('a path is built step by step and all report into one list', async (t) => {
  const problems = new Problems();
  problems.at('clusters').item(2).at('name').add('is required');
  problems.at('options').item('a.b "c"').unsupported('this', 'write that');
  problems.unsupported('the whole');
  t.same(problems.list, [
    { path: 'clusters[2].name', message: 'is required' },
    { path: 'options["a.b \\"c\\""]', message: 'this is not supported; write that' },
    { path: '', message: 'the whole is not supported' },
  ]);
  t.notOk(problems.isEmpty);
  t.ok(new Problems('x').isEmpty);
});

t.test('a list can be continued elsewhere', async (t) => {
  const problems = new Problems('a');
  const child = problems.at('b');
  child.add('first');
  t.equal(problems.list.length, 1);
  t.equal(child.path, 'a.b');
});

t.test('the error says where and what, one line each', async (t) => {
  const error = new ConfigError('file.yaml', [
    { path: '', message: 'is empty' },
    { path: 'admin', message: 'is wrong' },
  ]);
  t.equal(error.name, 'ConfigError');
  t.equal(error.message, 'file.yaml: 2 problems\n  (document): is empty\n  admin: is wrong');
  t.equal(new ConfigError('f', [{ path: 'a', message: 'b' }]).message, 'f: 1 problem\n  a: b');
});

t.test('thousands of problems are not printed, but are there', async (t) => {
  const many = (count: number) =>
    new ConfigError(
      'f',
      Array.from({ length: count }, (_, index) => ({ path: `a[${index}]`, message: 'b' })),
    );
  t.match(many(100).message, /\n {2}a\[99\]: b$/);
  t.match(many(101).message, /\n {2}a\[99\]: b\n {2}and 1 more problem$/);
  t.match(many(10_000).message, /and 9900 more problems$/);
  t.equal(many(10_000).problems.length, 10_000);
});

t.test('what is refused as a whole has no problems inside', async (t) => {
  const problems = new Problems();
  for (const path of ['a', 'ab']) problems.at(path).add('kept');
  problems.at('a').at('b').add('dropped');
  problems.at('a').item(0).add('dropped');
  problems.at('a').forgetBelow();
  t.same(
    problems.list.map(({ path, message }) => `${path}: ${message}`),
    ['a: kept', 'ab: kept'],
  );
});
