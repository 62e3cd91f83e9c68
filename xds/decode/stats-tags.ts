// Which parts of the names of statistics become labels (`StatsConfig.stats_tags`). Patterns are those of ECMAScript with the
// classes of POSIX, as Envoy's are (`std::regex`), and not of RE2: Istio's look ahead. Who writes a bootstrap is trusted with
// what a pattern costs.

import type { StatsTag, StatsTags } from '../../config/bootstrap.ts';
import type { Problems } from '../../config/problems.ts';
import type { StatsConfig, TagSpecifier } from '../generated/messages.ts';

/** Undefined where nothing is said, so that default tags are all there are. */
export function decodeStatsTags(message: StatsConfig | undefined, problems: Problems): StatsTags | undefined {
  const { statsTags = [], useAllDefaultTags: hasDefaults = true } = message ?? {};
  if (statsTags.length === 0 && hasDefaults) return undefined;
  const names = new Set<string>();
  const rules: StatsTag[] = [];
  for (const [index, written] of statsTags.entries()) {
    const place = problems.at('stats_tags').item(index);
    const { tagName = '' } = written;
    // Two labels of one name are no metric that anybody can read.
    if (names.has(tagName)) place.at('tag_name').add(`${tagName} is said twice`);
    if (hasDefaults && tagName.startsWith('envoy.')) place.at('tag_name').add(`${tagName} is a default tag already`);
    names.add(tagName);
    const rule = decodeTag(written, place);
    if (rule !== undefined) rules.push(rule);
  }
  return { hasDefaults, rules };
}

function decodeTag({ tagName = '', regex, fixedValue }: TagSpecifier, problems: Problems): StatsTag | undefined {
  if (tagName === '') problems.at('tag_name').add('a tag needs a name');
  if (fixedValue !== undefined) return { name: tagName, value: fixedValue };
  if (regex === undefined || regex === '') {
    problems.at('regex').add('regex or fixed_value is required, of a default tag as well');
    return undefined;
  }
  const pattern = compile(regex);
  if (typeof pattern === 'string') {
    problems.at('regex').add(pattern);
    return undefined;
  }
  return { name: tagName, pattern };
}

/** Or what is wrong with it. Without a group it takes nothing out, and is no label. */
function compile(regex: string): RegExp | string {
  try {
    return new RegExp(
      regex.replaceAll(/\[:(\w+):\]/g, (written, name) => posixClasses.get(name) ?? written),
      'd',
    );
  } catch (error) {
    return (error as Error).message;
  }
}

const posixClasses: ReadonlyMap<string, string> = new Map([
  ['alnum', 'A-Za-z0-9'],
  ['alpha', 'A-Za-z'],
  ['digit', '0-9'],
  ['lower', 'a-z'],
  ['upper', 'A-Z'],
  ['space', '\\s'],
  ['punct', '!-\\/:-@\\[-`{-~'],
  ['xdigit', '0-9A-Fa-f'],
]);
