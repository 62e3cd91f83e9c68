// Tags that configuration asks for. Those that are the same for every request are encoded once; the others are read when a
// request is kept. One that is empty makes no tag, as in Envoy.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/tracing/v3/custom_tag.proto

import type { CustomTag } from '../../config/tracing.ts';
import { compileCustomTag } from '../format/custom-tag.ts';
import type { FormatContext, Operator } from '../format/format-context.ts';
import { StreamInfo } from '../http/stream-info.ts';
import { SpanField } from './span-field.ts';
import { attributeKey, SpanWriter } from './span-writer.ts';

export interface CompiledTags {
  /** Fields of a span. */
  readonly constant: Uint8Array;
  readonly others: readonly { readonly key: Uint8Array; readonly read: Operator }[];
}

/** Tags of a route come before those of its connection manager: the first of a name counts. */
export function compileCustomTags(tags: readonly CustomTag[]): CompiledTags {
  const seen = new Set<string>();
  const writer = new SpanWriter(256);
  const others: CompiledTags['others'][number][] = [];
  for (const { tag, source } of tags) {
    if (seen.has(tag)) continue;
    seen.add(tag);
    const key = attributeKey(tag);
    const read = compileCustomTag({ source });
    if (source.kind === 'literal' || source.kind === 'environment') writeTag(writer, key, read(noRequest));
    else others.push({ key, read });
  }
  return { constant: Uint8Array.from(writer.bytes.subarray(0, writer.used)), others };
}

export function writeTags(writer: SpanWriter, { constant, others }: CompiledTags, context: FormatContext): void {
  writer.block(constant);
  for (let index = 0; index < others.length; index++) {
    const { key, read } = others[index]!;
    writeTag(writer, key, read(context));
  }
}

function writeTag(writer: SpanWriter, key: Uint8Array, value: string | number | null): void {
  if (value !== null) writer.textAttribute(SpanField.attributes, key, String(value));
}

const noRequest: FormatContext = {
  info: new StreamInfo(),
  request: null,
  response: null,
  responseTrailers: null,
  localReplyBody: '',
};
