import fc from 'fast-check';
import t from 'tap';
import { jsonProblem } from '../../../xds/document/json-problem.ts';

t.test('the place and what would be right are told', async (t) => {
  for (const [text, problem] of [
    ['{"a": 1,\n "b": 2,\n}', 'line 3, column 1: expected another name in double quotes, found "}"'],
    ['{"a": 1\n "b": 2}', 'line 2, column 2: expected "," or "}", found "\\""'],
    ['{"a": [1, 2', 'line 1, column 12: expected "," or "]", found the end of the file'],
    ['[1,]', 'line 1, column 4: expected a value, found "]"'],
    ['{"a" 1}', 'line 1, column 6: expected ":", found "1"'],
    ['{a: 1}', 'line 1, column 2: expected a name in double quotes, or "}", found "a"'],
    ['{"a": True}', 'line 1, column 7: expected a value, found "True"'],
    ['node:\n  id: a', 'line 1, column 1: expected a value, found "node"'],
    ['{} {}', 'line 1, column 4: expected the end of the file, found "{"'],
    ['{"a": "b\n"}', 'line 1, column 9: expected a string to end in its line ("), found "\\n"'],
    ['{"a": "C:\\dir"}', 'line 1, column 11: expected an escape of JSON behind \\, found "dir"'],
    ['{"a": {}, "b": [[], {"c": 01}]}', 'line 1, column 28: expected "," or "}", found "1"'],
    ['// a\n{}', 'line 1, column 1: expected a value, found "/"'],
  ] as const) {
    t.equal(jsonProblem(text), problem);
  }
});

t.test('a text nested deeper than a stack has its place too', async (t) => {
  t.match(jsonProblem('['.repeat(200_000)), 'line 1, column 200001: expected a value, found the end of the file');
});

t.test('a string longer than a pattern can go back has its place too, whole or cut off', async (t) => {
  const begun = `{"a": "${'x'.repeat(10_000_000)}`;
  t.equal(jsonProblem(`${begun}",}`), 'line 1, column 10000010: expected another name in double quotes, found "}"');
  t.match(
    jsonProblem(begun),
    'line 1, column 10000008: expected a string to end in its line ("), found the end of the',
  );
});

/** One byte of a right text is another, or gone. */
const damaged = fc
  .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom('', ',', '}', '"', '\\', 'x', '\n', ':', '0'))
  .map(([text, at, put]) => {
    const place = at % text.length;
    return text.slice(0, place) + put + text.slice(place + 1);
  });

t.test('the place is where the parser of V8 stops, where that tells one', async () => {
  fc.assert(
    fc.property(damaged, (text) => {
      const place = placeOfV8(text);
      if (place === undefined) return;
      const problem = jsonProblem(text);
      if (!problem.startsWith(place)) throw new Error(`${place}, not ${problem}`);
    }),
    { numRuns: 2000 },
  );
});

/** Within a number or a word it tells another one. */
function placeOfV8(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch (error) {
    const place = /^(?:Expected|Unterminated string|Bad control).*\(line (\d+) column (\d+)\)$/.exec(
      (error as Error).message,
    );
    return place === null ? undefined : `line ${place[1]}, column ${place[2]}: `;
  }
  return undefined;
}
