import t from 'tap';
import type { LogDelivery, OpenTelemetryLogRecords } from '../../../config/access-log.ts';
import { compileRecordLine } from '../../../proxy/telemetry/access-log-record.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

const collector: LogDelivery & OpenTelemetryLogRecords = {
  kind: 'opentelemetry',
  service: { kind: 'http', cluster: 'otel', uri: 'http://otel/v1/logs', timeoutMs: 1000, headers: [] },
  logName: '',
  flushIntervalMs: 1000,
  bufferSizeBytes: 16_384,
  customTags: [{ tag: 'zone', source: { kind: 'literal', value: 'z' } }],
  attributes: [],
  resource: { fromEnvironment: false, attributes: [] },
  hasBuiltinLabels: true,
  statPrefix: '',
};

t.test('texts of the body come before those of attributes, each from the first leaf to the last', async (t) => {
  const context = finishedRequest();
  const write = compileRecordLine({
    ...collector,
    body: { kind: 'list', values: ['%PROTOCOL%', { kind: 'map', fields: [['a', '%REQ(:METHOD)% it']] }] },
    attributes: [
      ['code', '%RESPONSE_CODE%'],
      ['none', '%REQ(X-NONE)%'],
    ],
  });
  t.strictSame(JSON.parse(write(context)), [
    context.info.startWallMs,
    null,
    ['HTTP/1.1', 'POST it', '200', '-'],
    ['z'],
  ]);
});

t.test('a record without body has the texts of its attributes only, and the ids of its trace', async (t) => {
  const context = finishedRequest();
  context.info.trace = { traceIdText: 'aa', spanIdText: 'bb', reason: SamplingReason.none };
  const write = compileRecordLine({ ...collector, customTags: [] });
  t.strictSame(JSON.parse(write(context)), [context.info.startWallMs, ['aa', 'bb', ''], [], []]);
});
