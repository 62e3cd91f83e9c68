import fc from 'fast-check';
import t from 'tap';
import { groupOf, matchesGlob } from '../../control-plane/node-group.ts';

t.test('a glob matches as a person expects', async (t) => {
  t.ok(matchesGlob('*', ''));
  t.ok(matchesGlob('gateway-*', 'gateway-1'));
  t.ok(matchesGlob('*~prod', 'sidecar~10.0.0.1~prod'));
  t.ok(matchesGlob('a*b*c', 'a-b-b-c'));
  t.notOk(matchesGlob('gateway-*', 'my-gateway-1'));
  t.notOk(matchesGlob('a*a', 'a'), 'both ends need text of their own');
  t.notOk(matchesGlob('a.c', 'abc'));
});

t.test('a glob matches what the regular expression of the same form does', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
  const matches = fc.property(text, fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 10 }), (glob, id) => {
    const regex = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
    return matchesGlob(glob, id) === regex.test(id);
  });
  t.equal(fc.check(matches, { numRuns: 2000 }).failed, false);
});

t.test('the glob that says most about a node is its group', async (t) => {
  const globs = ['*', 'gateway-*', 'gateway-1', 'b*', 'a*'];
  t.equal(groupOf('gateway-1', globs), 'gateway-1');
  t.equal(groupOf('gateway-2', globs), 'gateway-*');
  t.equal(groupOf('other', globs), '*');
  t.equal(groupOf('other', ['gateway-*']), undefined);
  t.equal(groupOf('ab', ['*b', 'a*']), '*b', 'of equals the first of the alphabet');
});
