// What changed between two states of what is served, in lines for people.

import { resourcesOf, type ServedSnapshot } from './served-snapshot.ts';
import { servedTypes } from './served-type.ts';

/** A person checks that what was saved arrived; a screen of names helps nobody. */
const maxNames = 5;

/** One line a type that changed: `eds for gateway*: changed shop; added cart (version …)`. */
export function differenceLines(
  before: ReadonlyMap<string, ServedSnapshot>,
  after: ReadonlyMap<string, ServedSnapshot>,
): readonly string[] {
  const lines: string[] = [];
  for (const [group, snapshot] of after) {
    const previous = before.get(group) ?? nothing;
    for (const { typeUrl, shortName } of servedTypes) {
      const was = resourcesOf(previous, typeUrl).byName;
      const { byName, version } = resourcesOf(snapshot, typeUrl);
      if (was === byName) continue;
      const names = [...byName.keys()];
      const parts = [
        namesText(
          'added',
          names.filter((name) => !was.has(name)),
        ),
        namesText(
          'changed',
          names.filter((name) => was.has(name) && was.get(name)!.version !== byName.get(name)!.version),
        ),
        namesText(
          'removed',
          [...was.keys()].filter((name) => !byName.has(name)),
        ),
      ].filter((part) => part !== '');
      if (parts.length === 0) continue;
      const nodes = group === '' ? '' : ` for ${group}`;
      lines.push(`${shortName}${nodes}: ${parts.join('; ')}${version === '' ? '' : ` (version ${version})`}`);
    }
  }
  return lines;
}

const nothing: ServedSnapshot = { types: new Map() };

function namesText(what: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const rest = names.length - maxNames;
  return `${what} ${names.slice(0, maxNames).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
