// Tags that configuration asks for. Those that are the same for every request are encoded once; the others are read when a
// request is kept. One that is empty makes no tag, as in Envoy.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/tracing/v3/custom_tag.proto

import type { CustomTag } from '../../config/tracing.ts';
import { compileCustomTag, type TagReader } from '../format/custom-tag.ts';
import type { FormatContext } from '../format/format-context.ts';
import { StreamInfo } from '../http/stream-info.ts';
import { SpanField } from './span-field.ts';
import { attributeKey, SpanWriter } from './span-writer.ts';

export interface CompiledTags {
  readonly constant: readonly { readonly key: Uint8Array; readonly field: Uint8Array }[];
  readonly others: readonly { readonly key: Uint8Array; readonly read: TagReader }[];
}

/** Tags of a route come before those of its connection manager: the first of a name counts. */
export function compileCustomTags(tags: readonly CustomTag[]): CompiledTags {
  const seen = new Set<string>();
  const constant: CompiledTags['constant'][number][] = [];
  const others: CompiledTags['others'][number][] = [];
  for (const { tag, source } of tags) {
    if (seen.has(tag)) continue;
    seen.add(tag);
    const key = attributeKey(tag);
    const read = compileCustomTag({ source });
    if (source.kind === 'literal' || source.kind === 'environment') {
      const field = encodeTag(key, read(noRequest));
      if (field.length > 0) constant.push({ key, field });
    } else others.push({ key, read });
  }
  return { constant, others };
}

/**
 * At the end of the attributes of a span, which begin at `start`: keys are unique, and what is configured stands in the place of
 * what is always told.
 */
export function writeTags(
  writer: SpanWriter,
  { constant, others }: CompiledTags,
  { context, start }: TaggedSpan,
): void {
  for (let index = 0; index < constant.length; index++) {
    const { key, field } = constant[index]!;
    writer.removeAttribute(start, key);
    writer.block(field);
  }
  for (let index = 0; index < others.length; index++) {
    const { key, read } = others[index]!;
    const value = read(context);
    if (value === null || value === '') continue;
    writer.removeAttribute(start, key);
    writer.textAttribute(SpanField.attributes, key, String(value));
  }
}

export interface TaggedSpan {
  readonly context: FormatContext;
  readonly start: number;
}

function encodeTag(key: Uint8Array, value: string | number | null): Uint8Array {
  const writer = new SpanWriter(256);
  if (value !== null) writer.textAttribute(SpanField.attributes, key, String(value));
  return Uint8Array.from(writer.bytes.subarray(0, writer.used));
}

const noRequest: FormatContext = {
  info: new StreamInfo(),
  request: null,
  response: null,
  responseTrailers: null,
  localReplyBody: '',
};
