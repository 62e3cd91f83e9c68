import fc from 'fast-check';
import t from 'tap';
import { equalsIgnoreCase, HeaderId, headerName, identifyHeader, lowerCase } from '../../../proxy/http/header-name.ts';

const known = Object.keys(HeaderId).filter((key) => key !== 'other') as (keyof typeof HeaderId)[];
const wireName = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const identify = (name: string) => identifyHeader(Buffer.from(name, 'latin1'), 0, name.length);

t.test('every well-known name has its id in any case', async (t) => {
  for (const key of known) {
    const name = wireName(key);
    t.equal(identify(name), HeaderId[key], name);
    t.equal(identify(name.toUpperCase()), HeaderId[key], name.toUpperCase());
    t.equal(headerName(name.toUpperCase()).id, HeaderId[key]);
  }
});

t.test('ids differ and leave room for the mark of removed rows', async (t) => {
  const ids = Object.values(HeaderId);
  t.equal(new Set(ids).size, ids.length);
  t.ok(Math.max(...ids) < 255);
});

t.test('every other name has none, however near it comes', async (t) => {
  for (const name of ['', 'x', 'hos', 'hostx', 'xost', 'content-lengt', 'content_length', 'x-request-ic'])
    t.equal(identify(name), HeaderId.other, name);
});

t.test('a name is found where it stands, by the same rule as lower case does', async () => {
  const names = fc.oneof(
    fc.constantFrom(...known.map(wireName)),
    fc.string({ unit: fc.constantFrom(...'abhostXx-'), maxLength: 12 }),
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 5 }), names, fc.array(fc.boolean()), (before, name, upper) => {
      const mixed = [...name].map((letter, index) => (upper[index] ? letter.toUpperCase() : letter)).join('');
      const bytes = Buffer.from(`${before}${mixed}: x`, 'latin1');
      const start = Buffer.byteLength(before, 'latin1');
      const key = known.find((each) => wireName(each) === name.toLowerCase());
      return identifyHeader(bytes, start, start + name.length) === (key === undefined ? HeaderId.other : HeaderId[key]);
    }),
    { numRuns: 1000 },
  );
});

t.test('only ASCII letters have a case', async (t) => {
  for (let byte = 0; byte < 256; byte++) {
    const expected = byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
    if (lowerCase[byte] !== expected) t.fail(`byte ${byte}`);
  }
  t.equal(equalsIgnoreCase(Buffer.from('xHOST'), 1, Buffer.from('host')), true);
  t.equal(equalsIgnoreCase(Buffer.from('hos'), 0, Buffer.from('host')), false, 'behind the end is nothing');
  t.equal(equalsIgnoreCase(Buffer.from('h@st'), 0, Buffer.from('h`st')), false, '@ is no upper-case `');
});
