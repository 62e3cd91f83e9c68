import t from 'tap';
import { writeLogsRequest, writeRecord } from '../../../proxy/export/access-log-otlp.ts';
import type { RecordFacts } from '../../../proxy/telemetry/access-log-record.ts';
import {
  type AnyValue,
  attributesOf,
  decodeOtlp,
  encodeOtlp,
  type KeyValue,
  plainValue,
} from '../../support/otlp-messages.ts';

interface Decoded {
  readonly timeUnixNano: string;
  readonly body: AnyValue | null;
  readonly attributes: readonly KeyValue[];
  readonly traceId: Buffer;
  readonly spanId: Buffer;
}

const trace = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', ''] as const;

function decodeRecord(facts: RecordFacts, shape: Parameters<typeof writeRecord>[1]): Decoded {
  return decodeOtlp('LogRecord', writeRecord(facts, shape)) as unknown as Decoded;
}

t.test('a record has its time, its ids, and the texts where the format has them', async (t) => {
  const facts: RecordFacts = [Date.UTC(2026, 10, 21) + 7.5, trace, ['GET', 'a', 'b', '200'], ['z', null]];
  const record = decodeRecord(facts, {
    body: {
      kind: 'map',
      fields: [
        ['method', '%M%'],
        ['list', { kind: 'list', values: ['%A%', { kind: 'map', fields: [['deep', '%B%']] }] }],
      ],
    },
    attributes: [['code', '%C%']],
    customTags: [{ tag: 'zone' }, { tag: 'none' }],
  });
  t.equal(record.timeUnixNano, `${BigInt(Date.UTC(2026, 10, 21)) * 1_000_000n + 7_500_000n}`);
  t.strictSame(plainValue(record.body), { method: 'GET', list: ['a', { deep: 'b' }] });
  t.strictSame(attributesOf(record.attributes), { code: '200', zone: 'z' });
  t.equal(record.traceId.toString('hex'), trace[0]);
  t.equal(record.spanId.toString('hex'), trace[1]);
});

t.test(
  'a record says why its trace is kept, unless its configuration has an attribute or a tag of that name',
  async (t) => {
    const facts: RecordFacts = [1, [trace[0], trace[1], 'error'], [], ['mine']];
    const none = { attributes: [], customTags: [] };
    t.strictSame(attributesOf(decodeRecord(facts, none).attributes), { 'sampling.reason': 'error' });
    t.strictSame(attributesOf(decodeRecord([1, trace, [], []], none).attributes), {}, 'not kept');
    const tagged = decodeRecord(facts, { attributes: [], customTags: [{ tag: 'sampling.reason' }] });
    t.strictSame(attributesOf(tagged.attributes), { 'sampling.reason': 'mine' });
    t.equal(tagged.attributes.length, 1);
    const [attributes, values] = [[['sampling.reason', '%R%']] as const, ['why']] as const;
    const named = decodeRecord([1, facts[1], values, []], { attributes, customTags: [] });
    t.strictSame(attributesOf(named.attributes), { 'sampling.reason': 'why' });
    t.equal(named.attributes.length, 1);
  },
);

t.test('a record without body and trace has neither', async (t) => {
  const record = decodeRecord([1, null, [], []], { attributes: [], customTags: [] });
  t.equal(record.body, null);
  t.equal(record.traceId.length, 0);
});

t.test('a request has the resource once, and all its records', async (t) => {
  const record = writeRecord([1, null, ['x'], []], { body: '%B%', attributes: [], customTags: [] });
  const resource = encodeOtlp('Resource', { attributes: [{ key: 'log_name', value: { stringValue: 'log' } }] });
  const request = decodeOtlp('ExportLogsServiceRequest', writeLogsRequest(resource, [record, record, record]));
  const [logs] = request['resourceLogs'] as {
    resource: { attributes: KeyValue[] };
    scopeLogs: { logRecords: Decoded[] }[];
  }[];
  t.strictSame(attributesOf(logs!.resource.attributes), { log_name: 'log' });
  t.equal(logs!.scopeLogs.length, 1);
  t.strictSame(
    logs!.scopeLogs[0]!.logRecords.map(({ body }) => plainValue(body)),
    ['x', 'x', 'x'],
  );
});
