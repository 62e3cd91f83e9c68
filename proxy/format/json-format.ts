// JSON log lines: an object whose string leaves are format strings. What never changes (keys, braces, constants) is
// encoded when the format is compiled. A leaf that is one command keeps its type, as in Envoy: numbers stay numbers and a
// missing value is null; with omitted empty values the key is left out.

import type { JsonFormat, JsonFormatValue, LogFormat } from '../../config/access-log.ts';
import { fromByteString, isAscii, toByteString } from './byte-string.ts';
import { compileFormat, type Format } from './format.ts';
import { type FormatContext, JsonText, type Operator } from './format-context.ts';

export interface JsonFormatOptions {
  readonly omitEmptyValues?: boolean;
  readonly sortProperties?: boolean;
}

/** Compiles a JSON format; `write` gives one object and a line end, as a byte string in valid UTF-8. */
export function compileJsonFormat(fields: JsonFormat, options: JsonFormatOptions = {}): Format {
  const write = compileObject(fields, options);
  return { write: (context) => `${write(context)!}\n`, constant: null, single: null };
}

/** Compiles either kind of log format. */
export function compileLogFormat(format: LogFormat): Format {
  return format.kind === 'text' ? compileFormat(format.format, format) : compileJsonFormat(format.fields, format);
}

/** The JSON text of one value; null when it is left out. */
type JsonWriter = (context: FormatContext) => string | null;

function compileValue(value: JsonFormatValue, options: JsonFormatOptions): JsonWriter {
  if (typeof value === 'string') return compileLeaf(value, options);
  if (typeof value !== 'object' || value === null) {
    const text = JSON.stringify(value);
    return () => text;
  }
  return isList(value) ? compileList(value, options) : compileObject(value, options);
}

function isList(value: JsonFormat | readonly JsonFormatValue[]): value is readonly JsonFormatValue[] {
  return Array.isArray(value);
}

function compileLeaf(text: string, options: JsonFormatOptions): JsonWriter {
  const format = compileFormat(text, options);
  if (format.constant !== null) {
    const constant = quote(format.constant);
    return () => constant;
  }
  if (format.single !== null) return compileTyped(format.single, options.omitEmptyValues === true ? null : 'null');
  return (context) => quote(format.write(context));
}

function compileTyped(operator: Operator, missing: string | null): JsonWriter {
  return (context) => {
    const value = operator(context);
    if (value === null) return missing;
    if (value instanceof JsonText) return value.text;
    return typeof value === 'number' ? String(value) : quote(value);
  };
}

function compileObject(fields: JsonFormat, options: JsonFormatOptions): JsonWriter {
  const keys = Object.keys(fields);
  if (options.sortProperties === true) keys.sort();
  const labels = keys.map((key) => `${toByteString(JSON.stringify(key))}:`);
  const writers = keys.map((key) => compileValue(fields[key]!, options));
  return (context) => {
    let text = '{';
    for (let index = 0; index < writers.length; index++) {
      const value = writers[index]!(context);
      if (value === null) continue;
      if (text.length > 1) text += ',';
      text += labels[index]! + value;
    }
    return `${text}}`;
  };
}

function compileList(items: readonly JsonFormatValue[], options: JsonFormatOptions): JsonWriter {
  const writers = items.map((item) => compileValue(item, options));
  return (context) => {
    let text = '[';
    for (const writer of writers) {
      const value = writer(context);
      if (value === null) continue;
      if (text.length > 1) text += ',';
      text += value;
    }
    return `${text}]`;
  };
}

// Bytes that are not UTF-8 would make the whole line unreadable to a JSON parser: they become U+FFFD.
function quote(bytes: string): string {
  return isAscii(bytes) ? JSON.stringify(bytes) : toByteString(JSON.stringify(fromByteString(bytes)));
}
