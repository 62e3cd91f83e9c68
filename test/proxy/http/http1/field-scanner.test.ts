import t from 'tap';
import { HeaderTable } from '../../../../proxy/http/header-table.ts';
import { requestFieldErrors } from '../../../../proxy/http/http1/codec-error.ts';
import { FieldScanner, type FieldScannerOptions } from '../../../../proxy/http/http1/field-scanner.ts';

function scannerOf(options: Partial<FieldScannerOptions> = {}): FieldScanner {
  return new FieldScanner({ errors: requestFieldErrors, maxCount: 10, underscores: 'allow', ...options });
}

t.test('rows are offsets from the first line, values without white space around them', async (t) => {
  const table = new HeaderTable();
  const bytes = Buffer.from('..A: b\r\nLong-Name:\t c d \r\nE:\r\n\r\nrest');
  t.equal(scannerOf().scan(bytes, 2, bytes.length, table), bytes.length - 6);
  table.reserve(100);
  bytes.copy(table.bytes, 0, 2);
  const rows = [0, 1, 2].map((row) => [table.name(row), table.value(row)]);
  t.same(rows, [
    ['A', 'b'],
    ['Long-Name', 'c d'],
    ['E', ''],
  ]);
  t.equal(table.rowCount, 3);
});

t.test('a byte that no value may hold is found wherever it stands, and every other one is taken', async (t) => {
  const wrong: string[] = [];
  for (let byte = 0; byte < 256; byte++) {
    const isAllowed = byte === 0x09 || (byte >= 0x20 && byte !== 0x7f);
    for (let place = 0; place < 9; place++) {
      // Neighbours at both ends of what is printable: a borrow or a carry would show in them.
      for (const neighbour of [' ', 'v', '~']) {
        const bytes = Buffer.from(`a:x${neighbour.repeat(9)}x\r\n\r\n`, 'latin1');
        bytes[3 + place] = byte;
        const scanner = scannerOf();
        const outcome = scanner.scan(bytes, 0, bytes.length, new HeaderTable());
        if (outcome !== (isAllowed ? bytes.length : -1)) wrong.push(`${byte} at ${place}`);
      }
    }
  }
  t.same(wrong, []);
});

t.test('goes on where it stopped, with the block anywhere in memory', async (t) => {
  const text = 'A: b\r\nC: d\r\n\r\n';
  for (let cut = 0; cut < text.length; cut++) {
    const scanner = scannerOf();
    const table = new HeaderTable();
    t.equal(scanner.scan(Buffer.from(text), 0, cut, table), 0);
    t.equal(scanner.scan(Buffer.from(`....${text}`), 4, text.length + 4, table), text.length);
    t.equal(table.rowCount, 2, `cut at ${cut}`);
  }
});

t.test('each fault has its own reason', async (t) => {
  const errors = requestFieldErrors;
  const faults = [
    [': v\r\n', errors.emptyName],
    ['a\xe4: v\r\n', errors.invalidName],
    ['abc\r\n', errors.missingColon],
    ['abc : v\r\n', errors.spaceBeforeColon],
    [' abc: v\r\n', errors.foldedLine],
    ['a: v\r\n\tw\r\n', errors.foldedLine],
    ['content_length: 3\r\n', errors.framingLookalike],
    ['a: \x01\r\n', errors.invalidValue],
    ['a: b\rc\r\n', errors.bareCarriageReturn],
    ['\rx', errors.bareCarriageReturn],
    ['a: b\n', errors.bareLineFeed],
    ['\n', errors.bareLineFeed],
    ['a: b\r\n'.repeat(11), errors.tooMany],
  ] as const;
  for (const [text, error] of faults) {
    const scanner = scannerOf();
    t.equal(scanner.scan(Buffer.from(text, 'latin1'), 0, text.length, new HeaderTable()), -1, JSON.stringify(text));
    t.equal(scanner.error, error);
  }
});

t.test('names with an underscore are kept, dropped and counted, or refused', async (t) => {
  const bytes = Buffer.from('a_b: 1\r\nc: 2\r\n\r\n');
  const dropping = scannerOf({ underscores: 'drop-header' });
  const table = new HeaderTable();
  t.equal(dropping.scan(bytes, 0, bytes.length, table), bytes.length);
  t.same([table.rowCount, dropping.droppedFields], [1, 1]);
  const refusing = scannerOf({ underscores: 'reject-request' });
  t.equal(refusing.scan(bytes, 0, bytes.length, new HeaderTable()), -1);
  t.equal(refusing.error, requestFieldErrors.underscore);
});
