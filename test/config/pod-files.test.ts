import fc from 'fast-check';
import t from 'tap';
import { parsePodFile } from '../../config/pod-files.ts';

t.test('lines of the downward API are read, with what Go escapes', async (t) => {
  const text =
    'app="cart"\napp.kubernetes.io/name="a \\"cart\\""\n\nlines="one\\ntwo\\\\"\nbell="\\x07\\u00e9\\U0001F600"\n';
  t.same(parsePodFile(text), {
    app: 'cart',
    'app.kubernetes.io/name': 'a "cart"',
    lines: 'one\ntwo\\',
    bell: '\x07é😀',
  });
  t.same(parsePodFile(''), {});
  t.same(parsePodFile('equals="a=b"'), { equals: 'a=b' });
});

t.test('a line in another form is named', async (t) => {
  for (const line of ['app', 'app=cart', 'app="cart', '="cart"', 'app="a"b"', 'app="a\\']) {
    t.throws(() => parsePodFile(`good="1"\n${line}\n`), { message: 'line 2 is not key="value"' }, line);
  }
});

t.test('whatever is quoted in JSON comes back', async (t) => {
  // JSON's escapes are a part of Go's, but for the surrogates, which Go never writes alone.
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      return parsePodFile(`key=${JSON.stringify(value)}`)['key'] === value;
    }),
    { numRuns: 300 },
  );
  t.pass();
});
