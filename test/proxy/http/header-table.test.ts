import fc from 'fast-check';
import t from 'tap';
import { HeaderId, headerName } from '../../../proxy/http/header-name.ts';
import { encodeLine, HeaderTable, headerIdSet } from '../../../proxy/http/header-table.ts';

/** A table filled as a codec does: the bytes at once, then the rows over them. */
function received(...lines: string[]): HeaderTable {
  const table = new HeaderTable();
  const text = lines.map((line) => `${line}\r\n`).join('');
  table.reserve(text.length);
  table.used = table.bytes.latin1Write(text, 0);
  let at = 0;
  for (const line of lines) {
    const colon = line.indexOf(':');
    table.addRow(at, at + colon, at + colon + 2, at + line.length, at + line.length + 2);
    at += line.length + 2;
  }
  return table;
}

function written(table: HeaderTable): string {
  const target = Buffer.alloc(table.encodedLength);
  t.equal(table.copyTo(target, 0), target.length, 'exactly as long as was said');
  return target.latin1Slice();
}

t.test('what was received is written as it was, byte for byte', async (t) => {
  const table = received('Host: a', 'X-Mixed:  spaced', 'x-mixed: 2', 'X-Latin: \xe9');
  t.equal(written(table), 'Host: a\r\nX-Mixed:  spaced\r\nx-mixed: 2\r\nX-Latin: \xe9\r\n');
  t.equal(written(new HeaderTable()), '');
});

t.test('fields are found by id and by name, in order, in any case', async (t) => {
  const table = received('X-One: 1', 'Host: a', 'x-one: 2', 'Via: v');
  const one = headerName('X-ONE');
  t.equal(table.find(one), 0);
  t.equal(table.find(one, 1), 2);
  t.equal(table.find(one, 3), -1);
  t.equal(table.get(one), '1,2');
  t.equal(table.get(headerName('x-two')), undefined);
  t.equal(table.findId(HeaderId.host), 1);
  t.equal(table.has(headerName('VIA')), true);
  t.equal(table.name(0), 'X-One');
  t.equal(table.value(3), 'v');
  t.equal(table.valueEquals(3, Buffer.from('v')), true);
  t.equal(table.valueEquals(3, Buffer.from('vv')), false);
});

t.test('a removed field is neither found nor written', async (t) => {
  const table = received('A: 1', 'Host: a', 'B: 2', 'host: b');
  table.removeId(HeaderId.host);
  t.equal(table.findId(HeaderId.host), -1);
  t.equal(written(table), 'A: 1\r\nB: 2\r\n');
  table.remove(headerName('a'));
  t.equal(table.isRemoved(0), true);
  t.equal(written(table), 'B: 2\r\n');
});

t.test('a row of another table is appended byte for byte, wherever that has it', async (t) => {
  const from = received('X-Mixed:  spaced', 'HOST: a', 'x-gone: 1');
  from.set(headerName('host'), 'b');
  from.removeRow(2);
  const table = received(`X-Long: ${'x'.repeat(1000)}`, 'A: 1');
  table.remove(headerName('x-long'));
  for (let row = 0; row < from.rowCount; row++) if (!from.isRemoved(row)) table.appendRow(from, row);
  t.equal(written(table), 'A: 1\r\nX-Mixed:  spaced\r\nHOST: b\r\n');
  t.equal(table.value(table.findId(HeaderId.host)), 'b');
  t.equal(table.get(headerName('x-mixed')), from.get(headerName('x-mixed')));
});

t.test('set leaves one field, where the first was, with the spelling it had', async (t) => {
  const table = received('X-One: 1', 'Host: a', 'x-one: 2');
  table.set(headerName('x-one'), 'new');
  t.equal(written(table), 'X-One: new\r\nHost: a\r\n');
  table.set(headerName('X-Two'), '');
  t.equal(written(table), 'X-One: new\r\nHost: a\r\nx-two: \r\n', 'a new one is appended in lower case');
});

t.test('a line that was encoded beforehand is set as its name and value are', async (t) => {
  const line = encodeLine('server', 'us');
  for (const lines of [['A: 1'], ['SERVER: them', 'A: 1'], ['A: 1', 'Server: a', 'B: 2', 'server: b'], ['Server:']]) {
    const [byLine, byText] = [received(...lines), received(...lines)];
    byLine.setLine(line);
    byText.set(headerName('server'), 'us');
    t.equal(written(byLine), written(byText), lines.join());
    t.equal(byLine.get(headerName('server')), 'us');
    t.equal(byLine.find(headerName('server')), byText.find(headerName('server')));
  }
});

t.test('a line that is set grows a table without room for it', async (t) => {
  const table = received(`X-Long: ${'x'.repeat(1000)}`, 'Server: a');
  const value = 'y'.repeat(600);
  table.setLine(encodeLine('server', value));
  t.equal(written(table), `X-Long: ${'x'.repeat(1000)}\r\nServer: ${value}\r\n`);
});

t.test('appended fields come last and are known by their ids', async (t) => {
  const table = received('A: 1');
  table.append('Server', 'x');
  table.appendLine(encodeLine('date', 'now'));
  t.equal(table.value(table.findId(HeaderId.server)), 'x');
  t.equal(table.value(table.findId(HeaderId.date)), 'now');
  t.equal(written(table), 'A: 1\r\nServer: x\r\ndate: now\r\n');
});

t.test('names can be spelt with capitals', async (t) => {
  const table = received('content-TYPE: Text', 'x-b3-SPANID: aB', '3d-x: y', 'gone: 1');
  table.append('date', 'now');
  table.remove(headerName('gone'));
  table.spellProperCase();
  t.equal(written(table), 'Content-Type: Text\r\nX-B3-Spanid: aB\r\n3d-X: y\r\nDate: now\r\n');
  t.equal(table.findId(HeaderId.contentType), 0, 'they are found as before');
});

t.test('a table grows with its message and can be made small again', async (t) => {
  const table = new HeaderTable();
  for (let index = 0; index < 300; index++) table.append(`x-${index}`, 'v'.repeat(40));
  t.equal(written(table).split('\r\n').length - 1, 300);
  t.equal(table.get(headerName('x-299')), 'v'.repeat(40));
  const grown = table.bytes.length;
  table.shrink();
  t.ok(table.bytes.length < grown);
  t.equal(table.rowCount, 0);
  table.append('a', '1');
  t.equal(written(table), 'a: 1\r\n');
});

interface Field {
  name: string;
  value: string;
}
/** The same edits on a plain list: what the table must equal after any number of them. */
type Edit = { name: string; run: (table: HeaderTable, list: Field[]) => Field[] };

const name = fc.constantFrom('Host', 'x-a', 'X-A', 'via', 'X-Other');
const value = fc.string({ unit: fc.constantFrom(...'ab \xe9'), maxLength: 6 });
const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(name, value).map(([given, text]) => ({
    name: 'append',
    run: (table: HeaderTable, list: Field[]) => {
      table.append(given, text);
      return [...list, { name: given, value: text }];
    },
  })),
  fc.tuple(name, value).map(([given, text]) => ({
    name: 'set',
    run: (table: HeaderTable, list: Field[]) => {
      table.set(headerName(given), text);
      const first = list.findIndex((field) => same(field.name, given));
      if (first < 0) return [...list, { name: given.toLowerCase(), value: text }];
      return list
        .filter((field, index) => index === first || !same(field.name, given))
        .map((field) => (same(field.name, given) ? { name: field.name, value: text } : field));
    },
  })),
  name.map((given) => ({
    name: 'remove',
    run: (table: HeaderTable, list: Field[]) => {
      table.remove(headerName(given));
      return list.filter((field) => !same(field.name, given));
    },
  })),
);

t.test('any edits leave what they leave of a plain list', async () => {
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 40 }), (edits) => {
      const table = received('Host: a', 'X-A: 1', 'x-other: 2');
      let list: Field[] = [
        { name: 'Host', value: 'a' },
        { name: 'X-A', value: '1' },
        { name: 'x-other', value: '2' },
      ];
      for (const { run } of edits) list = run(table, list);
      const target = Buffer.alloc(table.encodedLength);
      table.copyTo(target, 0);
      return target.latin1Slice() === list.map((field) => `${field.name}: ${field.value}\r\n`).join('');
    }),
    { numRuns: 500 },
  );
});

t.test('a set of ids tells for sure when none of them was ever added', async (t) => {
  const table = new HeaderTable();
  const low = headerIdSet([HeaderId.xEnvoyRetryOn]);
  const high = headerIdSet([HeaderId.xEnvoyForceTrace]);
  table.append('host', 'a');
  t.notOk(table.mayHave(low) || table.mayHave(high));
  table.append('x-envoy-force-trace', 'true');
  t.ok(table.mayHave(high));
  t.notOk(table.mayHave(low));
  t.equal(table.findId(HeaderId.xEnvoyForceTrace), 1);
  t.equal(table.findId(HeaderId.xEnvoyRetryOn), -1);
  table.clear();
  t.notOk(table.mayHave(high));
});

t.test('every well-known name has a bit of its own', async (t) => {
  t.ok(Math.max(...Object.values(HeaderId)) < 96);
  for (const id of Object.values(HeaderId)) {
    const table = new HeaderTable();
    table.addIdentifiedRow(id, 0, 0, 0, 0, 0);
    for (const other of Object.values(HeaderId)) {
      if (table.findId(other) !== (other === id ? 0 : -1)) t.fail(`${id} is found as ${other}`);
      if (table.mayHave(headerIdSet([other])) !== (other === id)) t.fail(`${id} is in the set of ${other}`);
    }
  }
});
