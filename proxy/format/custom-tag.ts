// Custom tags of logs and spans: a name, and a value that is read from a request as format strings read it.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/tracing/v3/custom_tag.proto

import type { CustomTag } from '../../config/tracing.ts';
import { toByteString, withoutControls } from './byte-string.ts';
import { compileFormat } from './format.ts';
import { type FormatContext, JsonText, type Operator } from './format-context.ts';
import { headerOperators } from './header-operators.ts';
import { descend, writeMetadata } from './metadata-operators.ts';

/** Null leaves the tag out. */
export type TagReader = (context: FormatContext) => string | number | null;

/** Reads the value of a tag. The environment is read now. */
export function compileCustomTag({ source }: Pick<CustomTag, 'source'>): TagReader {
  switch (source.kind) {
    case 'literal':
      return constant(source.value);
    case 'environment':
      return constant(process.env[source.name] ?? source.defaultValue);
    case 'request-header': {
      const read = headerOperators['REQ']!({ name: 'REQ', argument: source.name, maxLength: null });
      return orDefault(read, source.defaultValue);
    }
    case 'metadata': {
      const read = compileMetadata(source);
      return orDefault((context) => writeMetadata(read(context)), source.defaultValue);
    }
    case 'format': {
      const format = compileFormat(source.format, { omitEmptyValues: true });
      return (context) => format.write(context) || null;
    }
  }
}

function constant(text: string): TagReader {
  const value = text === '' ? null : withoutControls(toByteString(text));
  return () => value;
}

function orDefault(read: Operator, defaultValue: string): TagReader {
  const missing = defaultValue === '' ? null : toByteString(defaultValue);
  return (context) => {
    const value = read(context) ?? missing;
    return value instanceof JsonText ? value.text : value;
  };
}

type MetadataSource = Extract<CustomTag['source'], { readonly kind: 'metadata' }>;

function compileMetadata({ of, namespace, path }: MetadataSource): (context: FormatContext) => unknown {
  const whole = [namespace, ...path];
  switch (of) {
    case 'route':
      return ({ info }) => descend(info.routeMetadata, whole);
    case 'cluster':
      return ({ info }) => descend(info.clusterMetadata, whole);
    case 'endpoint':
      return ({ info }) => descend(info.endpointMetadata, whole);
    case 'request': {
      const [first = '', ...rest] = path;
      return ({ info }) => {
        const values = info.dynamicMetadata?.get(namespace);
        return path.length === 0 ? values && Object.fromEntries(values) : descend(values?.get(first), rest);
      };
    }
  }
}
