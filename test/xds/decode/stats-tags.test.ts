import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodeStatsTags } from '../../../xds/decode/stats-tags.ts';
import type { StatsConfig } from '../../../xds/generated/messages.ts';

function decoded(message: StatsConfig) {
  const problems = new Problems();
  const tags = decodeStatsTags(message, problems);
  return { tags, problems: problems.list.map(({ path, message: text }) => `${path}: ${text}`) };
}

t.test('nothing is said where default tags are all there are', async (t) => {
  t.same(decoded({}), { tags: undefined, problems: [] });
  t.same(decodeStatsTags(undefined, new Problems()), undefined);
  t.same(decoded({ useAllDefaultTags: false }).tags, { hasDefaults: false, rules: [] });
});

t.test('tags are patterns or fixed values, in their order; classes of POSIX are those of ECMAScript', async (t) => {
  const { tags, problems } = decoded({
    statsTags: [
      { tagName: 'cluster_name', regex: '^cluster(\\.(.+);)' },
      { tagName: 'zone', fixedValue: '' },
      { tagName: 'address', regex: '^listener(?=\\.)\\.(([_[:digit:]]+)\\.)' },
    ],
  });
  t.same(problems, []);
  t.equal(tags?.hasDefaults, true);
  t.strictSame(tags?.rules, [
    { name: 'cluster_name', pattern: /^cluster(\.(.+);)/d },
    { name: 'zone', value: '' },
    { name: 'address', pattern: /^listener(?=\.)\.(([_0-9]+)\.)/d },
  ]);
});

t.test('a class that POSIX does not have stays as it is written', async (t) => {
  const { tags } = decoded({ statsTags: [{ tagName: 'a', regex: '([[:constructor:]])' }] });
  t.strictSame(tags?.rules, [{ name: 'a', pattern: /([[:constructor:]])/d }]);
});

t.test('what makes no label is refused by its place', async (t) => {
  const { problems } = decoded({
    statsTags: [
      { regex: '(a)' },
      { tagName: 'a', regex: '(' },
      { tagName: 'b', regex: 'no group' },
      { tagName: 'b', fixedValue: 'x' },
      { tagName: 'c' },
      { tagName: 'envoy.cluster_name', regex: '(a)' },
    ],
  });
  t.matchOnly(problems, [
    /^stats_tags\[0\]\.tag_name: a tag needs a name/,
    /^stats_tags\[1\]\.regex: Invalid regular expression/,
    /^stats_tags\[3\]\.tag_name: b is said twice/,
    /^stats_tags\[4\]\.regex: regex or fixed_value is required/,
    /^stats_tags\[5\]\.tag_name: envoy\.cluster_name is a default tag already/,
  ]);
});
