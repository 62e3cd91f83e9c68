import fc from 'fast-check';
import t from 'tap';
import { type LiteralPathKind, noRoute, PathIndex } from '../../../proxy/route/path-index.ts';

const kinds: readonly LiteralPathKind[] = ['prefix', 'path', 'path-separated-prefix'];

function isMatch(kind: LiteralPathKind, value: string, path: string): boolean {
  if (kind === 'path') return path === value;
  if (kind === 'prefix') return path.startsWith(value);
  return path === value || path.startsWith(`${value}/`);
}

t.test('an empty index holds nothing', async (t) => {
  t.equal(new PathIndex().find('/', 1), noRoute);
});

t.test('nothing behind the end of the path is looked at', async (t) => {
  const index = new PathIndex();
  index.add('prefix', '/a?b', 0);
  index.add('path', '/a', 1);
  t.equal(index.find('/a?b', 2), 1);
  t.equal(index.find('/a?b', 4), 0);
});

t.test('the lowest of equal paths wins, in whatever order they come', async (t) => {
  const index = new PathIndex();
  index.add('prefix', '/a', 5);
  index.add('prefix', '/a', 2);
  t.equal(index.find('/ab', 3), 2);
});

t.test('the lowest match is found among any paths', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
  const entries = fc.array(fc.tuple(fc.constantFrom(...kinds), text), { maxLength: 30 });
  fc.assert(
    fc.property(entries, fc.array(text, { minLength: 1, maxLength: 10 }), (literals, paths) => {
      const index = new PathIndex();
      for (const [route, [kind, value]] of literals.entries()) index.add(kind, value, route);
      return paths.every((path) => {
        const naive = literals.findIndex(([kind, value]) => isMatch(kind, value, path));
        return index.find(path, path.length) === (naive < 0 ? noRoute : naive);
      });
    }),
    { numRuns: 2000 },
  );
});
