// OpenTelemetry log records and the request they are sent in, made of what workers tell; the same fields as Envoy's.
// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto

import type { OpenTelemetryLogRecords, RecordFormat } from '../../config/access-log.ts';
import type { CustomTag } from '../../config/tracing.ts';
import { toByteString } from '../format/byte-string.ts';
import type { RecordFacts } from '../telemetry/access-log-record.ts';
import { SpanWriter } from '../tracing/span-writer.ts';
import { bytesField } from './protobuf-field.ts';

export type RecordShape = Pick<OpenTelemetryLogRecords, 'body' | 'attributes'> & {
  readonly customTags: readonly Pick<CustomTag, 'tag'>[];
};

/** The bytes of a `LogRecord`. */
export function writeRecord([startWallMs, trace, values, tags]: RecordFacts, shape: RecordShape): Uint8Array {
  const rest = values[Symbol.iterator]();
  writer.used = 0;
  writer.time(1, startWallMs);
  if (shape.body !== undefined) writeAny(5, shape.body, rest);
  for (const [key, value] of shape.attributes) writePair(6, key, () => writeAny(2, value, rest));
  for (const [index, { tag }] of shape.customTags.entries()) {
    const value = tags[index] ?? null;
    if (value !== null) writePair(6, tag, () => writeText(2, value));
  }
  if (trace !== null) {
    if (trace[2] !== '' && !isNamed(shape, reasonKey)) writePair(6, reasonKey, () => writeText(2, trace[2]));
    writer.hex(9, Buffer.from(trace[0], 'latin1'), 0, trace[0].length);
    writer.hex(10, Buffer.from(trace[1], 'latin1'), 0, trace[1].length);
  }
  return Buffer.from(writer.bytes.subarray(0, writer.used));
}

/** An `ExportLogsServiceRequest` with these records of one resource. */
export function writeLogsRequest(resource: Uint8Array, records: readonly Uint8Array[]): Uint8Array {
  const scopeLogs = Buffer.concat(records.map((record) => bytesField(2, record)));
  return bytesField(1, Buffer.concat([bytesField(1, resource), bytesField(2, scopeLogs)]));
}

/** As in spans. What the configuration names so stands alone: a record has a name once. */
const reasonKey = 'sampling.reason';

function isNamed({ attributes, customTags }: RecordShape, name: string): boolean {
  return attributes.some(([key]) => key === name) || customTags.some(({ tag }) => tag === name);
}

/** One for all records. */
const writer = new SpanWriter(16 * 1024);

/** A `KeyValue`. */
function writePair(field: number, key: string, writeValue: () => void): void {
  const pair = writer.beginMessage(field);
  writer.text(1, toByteString(key));
  writeValue();
  writer.endMessage(pair);
}

/** An `AnyValue` whose texts are the next of `values`. */
function writeAny(field: number, format: RecordFormat, values: Iterator<string>): void {
  if (typeof format === 'string') {
    writeText(field, values.next().value as string);
    return;
  }
  const any = writer.beginMessage(field);
  if (format.kind === 'list') {
    const list = writer.beginMessage(5);
    for (const item of format.values) writeAny(1, item, values);
    writer.endMessage(list);
  } else {
    const map = writer.beginMessage(6);
    for (const [key, item] of format.fields) writePair(1, key, () => writeAny(2, item, values));
    writer.endMessage(map);
  }
  writer.endMessage(any);
}

function writeText(field: number, value: string): void {
  const any = writer.beginMessage(field);
  writer.text(1, value);
  writer.endMessage(any);
}
