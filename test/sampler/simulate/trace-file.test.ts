import fc from 'fast-check';
import t from 'tap';
import { readTraceFile, TraceFileError } from '../../../sampler/simulate/trace-file.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const good = { at: 5000, service: 'a', route: '/r', method: 'GET', status: 200, durationMs: 1.5, traceId };
const file = (...lines: readonly unknown[]) => lines.map((line) => JSON.stringify(line)).join('\n');

t.test('lines in any order are requests in the order of arrival, the first at 0', (t) => {
  const later = { ...good, at: 5250, service: 'b', status: 503, traceId: traceId.toUpperCase() };
  const [first, second, ...rest] = readTraceFile(`${file(later, good)}\n\n`);
  t.same(rest, []);
  t.match(first, { atMs: 0, service: 'a', route: '/r', method: 'GET', status: 200, durationMs: 1.5 });
  t.match(second, { atMs: 250, service: 'b', status: 503 });
  t.equal(first!.trace, second!.trace, 'one trace is one object, in whatever case its id is written');
  t.same(first!.trace, { id: traceId, random: 'ce929d0e0e4736' });
  t.end();
});

t.test('a time may be written as people do', (t) => {
  const requests = readTraceFile(file(good, { ...good, at: '1970-01-01T00:00:06Z' }));
  t.equal(requests[1]!.atMs, 1000);
  t.end();
});

t.test('fields that are not asked for are passed over', (t) => {
  t.equal(readTraceFile(file({ ...good, pod: 'a-1' })).length, 1);
  t.end();
});

t.test('what is wrong is told by line and field', (t) => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ ...good, at: 'soon' }, /^line 2: at must be milliseconds since 1970 or a time of ISO 8601$/],
    [{ ...good, service: '' }, /^line 2: service must be a text that is not empty$/],
    [{ ...good, route: 7 }, /^line 2: route must be/],
    [{ ...good, method: undefined }, /^line 2: method must be/],
    [{ ...good, status: 99 }, /^line 2: status must be a number from 100 to 599$/],
    [{ ...good, durationMs: -1 }, /^line 2: durationMs must be/],
    [{ ...good, traceId: traceId.slice(1) }, /^line 2: traceId must be 32 hexadecimal digits$/],
    [[], /^line 2: is not an object$/],
  ];
  for (const [line, message] of wrong) t.throws(() => readTraceFile(file(good, line)), { message });
  t.throws(() => readTraceFile('{"at": '), /^line 1: /);
  t.throws(() => readTraceFile('\n'), { message: 'there is no request in it' });
  t.end();
});

t.test('whatever a file holds, it is read or refused in words', (t) => {
  const line = fc.oneof(fc.json(), fc.string(), fc.constant(JSON.stringify(good)));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      try {
        const requests = readTraceFile(lines.join('\n'));
        return requests[0]!.atMs === 0;
      } catch (error) {
        return error instanceof TraceFileError;
      }
    }),
  );
  t.end();
});
