import t from 'tap';
import type { InternalRedirectPolicy } from '../../../config/route.ts';
import { CompiledInternalRedirect, FollowedRedirects } from '../../../proxy/route/internal-redirect.ts';

const policy: InternalRedirectPolicy = {
  maxRedirects: 1,
  statuses: [302, 307],
  predicates: [],
  allowCrossScheme: false,
  headersToCopy: ['x-a'],
};
const step = { from: 'a', to: 'b', isFromHttps: false, isToHttps: false };
const withPredicates = (...predicates: InternalRedirectPolicy['predicates']) =>
  new CompiledInternalRedirect({ ...policy, predicates });

t.test('only the statuses that are named are followed', async (t) => {
  const compiled = new CompiledInternalRedirect(policy);
  t.same(
    [200, 301, 302, 303, 307, 308].filter((status) => compiled.follows(status)),
    [302, 307],
  );
  t.equal(compiled.accepts(step, new FollowedRedirects()), true, 'without predicates every route');
});

t.test('routes that are listed', async (t) => {
  const listed = withPredicates({ kind: 'allow-listed-routes', names: ['b', 'c'] });
  t.equal(listed.accepts(step, new FollowedRedirects()), true);
  t.equal(listed.accepts({ ...step, to: 'd' }, new FollowedRedirects()), false);
  t.equal(listed.accepts({ ...step, to: '' }, new FollowedRedirects()), false, 'a route without a name');
});

t.test('from one route no other is gone to twice', async (t) => {
  const once = withPredicates({ kind: 'previous-routes' });
  const followed = new FollowedRedirects();
  t.equal(once.accepts(step, followed), true);
  t.equal(once.accepts(step, followed), false);
  t.equal(once.accepts({ ...step, to: 'c' }, followed), true);
  t.equal(once.accepts({ ...step, from: 'c' }, followed), true, 'from another route it may');
  t.equal(once.accepts(step, new FollowedRedirects()), true, 'of another request');
});

t.test('never from clear text to https', async (t) => {
  const safe = withPredicates({ kind: 'safe-cross-scheme' });
  const accepts = (isFromHttps: boolean, isToHttps: boolean) =>
    safe.accepts({ ...step, isFromHttps, isToHttps }, new FollowedRedirects());
  t.same(
    [accepts(false, false), accepts(false, true), accepts(true, false), accepts(true, true)],
    [true, false, true, true],
  );
});

t.test('all predicates must agree', async (t) => {
  const both = withPredicates({ kind: 'allow-listed-routes', names: ['b'] }, { kind: 'safe-cross-scheme' });
  t.equal(both.accepts(step, new FollowedRedirects()), true);
  t.equal(both.accepts({ ...step, isToHttps: true }, new FollowedRedirects()), false);
  t.equal(both.accepts({ ...step, to: 'c' }, new FollowedRedirects()), false);
});
