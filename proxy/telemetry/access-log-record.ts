// What a worker tells about a request or connection that goes to a collector as an OpenTelemetry log record. The texts of
// body and attributes are written here, because format strings read the request; the record around them, which never
// changes, is put together by the main thread (`proxy/export/access-log-otlp.ts`).
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/access_loggers/open_telemetry/v3/logs_service.proto

import type { LogDelivery, OpenTelemetryLogRecords, RecordFormat } from '../../config/access-log.ts';
import { compileCustomTag } from '../format/custom-tag.ts';
import { compileFormat } from '../format/format.ts';
import type { FormatContext } from '../format/format-context.ts';
import { texts, toLine, traceOf } from './access-log-entry.ts';

/** Texts are byte strings: each character one byte. */
export type RecordFacts = readonly [
  startWallMs: number,
  trace: readonly [traceId: string, spanId: string, reason: string] | null,
  /** The texts of the body, then those of each attribute, from the first leaf to the last. */
  values: readonly string[],
  /** Values of `customTags` in their order. */
  tags: readonly (string | null)[],
];

/** Makes the writer of one log's lines, without their end. */
export function compileRecordLine(
  collector: LogDelivery & OpenTelemetryLogRecords,
): (context: FormatContext) => string {
  const { body, attributes, customTags } = collector;
  const leaves = [...(body === undefined ? [] : leavesOf(body)), ...attributes.flatMap(([, value]) => leavesOf(value))];
  const formats = leaves.map((leaf) => compileFormat(leaf));
  const tags = customTags.map(compileCustomTag);
  return (context) => {
    const { info } = context;
    const values: string[] = [];
    for (const format of formats) values.push(format.write(context));
    const facts: RecordFacts = [info.startWallMs, traceOf(info), values, texts(tags, context)];
    return toLine(facts);
  };
}

function leavesOf(format: RecordFormat): readonly string[] {
  if (typeof format === 'string') return [format];
  return format.kind === 'list'
    ? format.values.flatMap(leavesOf)
    : format.fields.flatMap(([, value]) => leavesOf(value));
}
