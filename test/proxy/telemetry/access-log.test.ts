import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import type { AccessLog, AccessLogSink } from '../../../config/access-log.ts';
import { RequestHead } from '../../../proxy/http/message.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { AccessLogs, type EntryBatch, type LogBatch } from '../../../proxy/telemetry/access-log.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { entryCollector } from '../../support/access-log-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const file: AccessLogSink = { kind: 'file', path: 'a.log' };

function textLog(format: string, sink = file): AccessLog {
  return { sink, format: { kind: 'text', format, omitEmptyValues: false } };
}

function fixture(flushSizeBytes = 64 * 1024) {
  const batches: LogBatch[] = [];
  const entries: EntryBatch[] = [];
  const due: number[] = [];
  const logs = new AccessLogs({
    random: () => 0,
    runtime: new Map(),
    flushSizeBytes,
    publish: (batch) => batches.push(structuredClone(batch)),
    publishEntries: (batch) => entries.push(structuredClone(batch)),
    onEntries: (withinMs) => due.push(withinMs),
  });
  return { logs, batches, entries, due };
}

function finished(path: string, code = 200) {
  const request = new RequestHead();
  request.path = path;
  const info = new StreamInfo();
  info.responseCode = code;
  return { info, request, response: null, responseTrailers: null, localReplyBody: '' };
}

const textOf = (batches: readonly LogBatch[]) =>
  batches.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).join('');

t.test('lines wait for the flush and leave as one batch of plain data', (t) => {
  const { logs, batches } = fixture();
  const [log] = logs.compile([textLog('%REQ(:PATH)% %RESPONSE_CODE%\n')]);
  log!.log(finished('/a'));
  log!.log(finished('/b', 404));
  t.strictSame(batches, []);
  logs.flush();
  logs.flush();
  t.equal(batches.length, 1);
  t.match(batches[0], { sink: file, lines: 2, cause: 'interval' });
  t.equal(textOf(batches), '/a 200\n/b 404\n');
  t.equal(batches[0]!.bytes.buffer.byteLength, 14, 'no more than the lines travels');
  t.end();
});

t.test('a batch that is full leaves at once', (t) => {
  const { logs, batches } = fixture(10);
  const [log] = logs.compile([textLog('%REQ(:PATH)%\n')]);
  log!.log(finished('/123'));
  t.equal(batches.length, 0);
  log!.log(finished('/456'));
  t.match(batches, onlyItems({ lines: 2, cause: 'size' }));
  logs.flush();
  t.equal(batches.length, 1);
  t.end();
});

t.test('logs with one sink share its batch in order, other sinks have their own', (t) => {
  const { logs, batches } = fixture();
  const [first, second, other] = logs.compile([textLog('1\n'), textLog('2\n'), textLog('3\n', { kind: 'stdout' })]);
  for (const log of [second!, first!, other!, second!]) log.log(finished('/'));
  logs.flush();
  t.strictSame(
    batches.map(({ sink, lines }) => ({ kind: sink.kind, lines })),
    [
      { kind: 'file', lines: 3 },
      { kind: 'stdout', lines: 1 },
    ],
  );
  t.equal(textOf(batches), '2\n1\n2\n3\n');
  t.end();
});

t.test('a filter decides which requests are logged', (t) => {
  const { logs, batches } = fixture();
  const [log] = logs.compile([
    { ...textLog('%RESPONSE_CODE%\n'), filter: { kind: 'status-code', comparison: { op: 'ge', value: 500 } } },
  ]);
  log!.log(finished('/', 200));
  log!.log(finished('/', 503));
  logs.flush();
  t.equal(textOf(batches), '503\n');
  t.end();
});

t.test('JSON lines are logged too', (t) => {
  const { logs, batches } = fixture();
  const format = {
    kind: 'json' as const,
    fields: { code: '%RESPONSE_CODE%', path: '%REQ(:PATH)%' },
    omitEmptyValues: false,
    sortProperties: false,
  };
  const [log] = logs.compile([{ sink: file, format }]);
  log!.log(finished('/"'));
  logs.flush();
  t.strictSame(JSON.parse(textOf(batches)), { code: 200, path: '/"' });
  t.end();
});

t.test('a JSON line leads to the trace of its request, and says why that is kept', (t) => {
  const { logs, batches } = fixture();
  const fields = { trace: '%TRACE_ID%', span: '%SPAN_ID%', kept: '%SAMPLING_REASON%' };
  const format = { kind: 'json' as const, fields, omitEmptyValues: false, sortProperties: false };
  const [log] = logs.compile([{ sink: file, format }]);
  const context = finished('/');
  for (const reason of [SamplingReason.error, SamplingReason.none]) {
    context.info.trace = { traceIdText: '0af7651916cd43dd8448eb211c80319c', spanIdText: 'b7ad6b7169203331', reason };
    log!.log(context);
  }
  logs.flush();
  const ids = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };
  const lines = textOf(batches).trimEnd().split('\n');
  t.strictSame(
    lines.map((line) => JSON.parse(line)),
    [
      { ...ids, kept: 'error' },
      { ...ids, kept: null },
    ],
  );
  t.end();
});

t.test('whatever the lengths of lines and the size of a batch, every byte arrives once and in order', (t) => {
  const path = fc.string({
    unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)),
    maxLength: 9000,
  });
  fc.assert(
    fc.property(fc.array(path, { maxLength: 30 }), fc.integer({ min: 0, max: 20_000 }), (paths, flushSizeBytes) => {
      const { logs, batches } = fixture(flushSizeBytes);
      const [log] = logs.compile([textLog('[%REQ(:PATH)%]\n')]);
      for (const each of paths) log!.log(finished(`/${each}`));
      logs.flush();
      t.equal(textOf(batches), paths.map((each) => `[/${each}]\n`).join(''));
      t.equal(
        batches.reduce((sum, { lines }) => sum + lines, 0),
        paths.length,
      );
    }),
    { numRuns: 50 },
  );
  t.end();
});

function entryLog(logName: string, more: Parameters<typeof entryCollector>[0] = {}): AccessLog {
  return { collector: entryCollector({ logName, ...more }) };
}

const linesOf = ({ bytes }: EntryBatch) => Buffer.from(bytes).toString('latin1').split('\n');

t.test('entries for a collector wait for a call that is asked for, and leave as lines of JSON', (t) => {
  const { logs, batches, entries, due } = fixture();
  const [log] = logs.compile([entryLog('a')]);
  t.strictSame(due, []);
  log!.log(finished('/a'));
  log!.log(finished('/b'));
  t.strictSame(due, [100], 'asked for once');
  logs.flushEntries();
  logs.flushEntries();
  t.strictSame(batches, []);
  t.equal(entries.length, 1);
  t.match(entries[0], { collector: { logName: 'a' }, entries: 2 });
  const [first, second, rest] = linesOf(entries[0]!);
  t.equal(JSON.parse(first!)[1][4], '/a');
  t.equal(JSON.parse(second!)[1][4], '/b');
  t.equal(rest, '');
  t.end();
});

t.test('equal collectors share a batch, and keep it when the configuration comes again', (t) => {
  const { logs, entries } = fixture();
  const [first, second, other] = logs.compile([entryLog('a'), entryLog('a'), entryLog('b')]);
  for (const log of [first!, second!, other!]) log.log(finished('/'));
  logs.compile([entryLog('a')])[0]!.log(finished('/'));
  logs.flush();
  t.strictSame(
    entries.map((batch) => [batch.collector.logName, batch.entries]),
    [
      ['a', 3],
      ['b', 1],
    ],
  );
  t.equal(new Set(entries.map(({ key }) => key)).size, 2);
  t.end();
});

t.test('a collector that wants every entry at once has it, one in a hurry has a shorter wait', (t) => {
  const { logs, entries, due } = fixture();
  const [eager, quick] = logs.compile([
    entryLog('eager', { bufferSizeBytes: 0 }),
    entryLog('quick', { flushIntervalMs: 20 }),
  ]);
  eager!.log(finished('/'));
  t.match(entries, onlyItems({ entries: 1 }));
  t.strictSame(due, []);
  quick!.log(finished('/'));
  t.strictSame(due, [20]);
  t.end();
});

t.test('nothing stays of collectors that no configuration has any more but entries that wait', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { logs, entries } = fixture();
  const configure = (number: number) => {
    const logName = `${number}`.padEnd(4096, '-');
    return logs.compile([{ collector: entryCollector({ logName }) }]);
  };
  for (let number = 0; number < 100; number++) configure(number);
  configure(-1)[0]!.log(finished('/late'));
  const usedBytes = async () => {
    // What weak references were asked for stays for the turn.
    await setImmediate();
    collect();
    configure(-2);
    await setImmediate();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await usedBytes();
  for (let number = 100; number < 5000; number++) configure(number);
  t.ok((await usedBytes()) - before < 5 * 1024 * 1024, 'of 40 MiB');
  logs.flushEntries();
  t.equal(entries.length, 1);
});
