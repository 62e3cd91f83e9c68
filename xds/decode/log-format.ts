// Format strings of access logs and local replies (`config.core.v3.SubstitutionFormatString`).

import type { JsonFormat, LogFormat } from '../../config/access-log.ts';
import { validateFormat, validateJsonFormat } from '../../config/format-commands.ts';
import type { Problems } from '../../config/problems.ts';
import type { SubstitutionFormatString, TypedExtensionConfig } from '../generated/messages.ts';
import type { JsonObject } from '../message/message-descriptor.ts';
import { decodeTextSource } from './data-source.ts';
import { extensionType } from './extension.ts';

export function decodeLogFormat(message: SubstitutionFormatString, problems: Problems): LogFormat | undefined {
  checkFormatters(message.formatters, problems.at('formatters'));
  const omitEmptyValues = message.omitEmptyValues ?? false;
  if (message.jsonFormat !== undefined) {
    const fields = checkedJsonFormat(message.jsonFormat, problems.at('json_format'));
    const sortProperties = message.jsonFormatOptions?.sortProperties ?? false;
    return { kind: 'json', fields, omitEmptyValues, sortProperties };
  }
  const format = decodeText(message, problems);
  return format === undefined ? undefined : { kind: 'text', format, omitEmptyValues };
}

const formatter = {
  what: 'formatter',
  known: [
    'envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery',
    'envoy.extensions.formatter.metadata.v3.Metadata',
  ],
} as const;

/** Those that are known bring a command each, which every format has in any case. */
export function checkFormatters(messages: readonly TypedExtensionConfig[] | undefined, problems: Problems): void {
  for (const [index, message] of (messages ?? []).entries()) extensionType(message, formatter, problems.item(index));
}

function decodeText(message: SubstitutionFormatString, problems: Problems): string | undefined {
  if (message.textFormat !== undefined) return checkedFormat(message.textFormat, problems.at('text_format'));
  if (message.textFormatSource === undefined) return undefined;
  const place = problems.at('text_format_source');
  const text = decodeTextSource(message.textFormatSource, place);
  return text === undefined ? undefined : checkedFormat(text, place);
}

/** The format string; commands that cannot be written are recorded. */
export function checkedFormat(format: string, problems: Problems): string {
  for (const error of validateFormat(format)) problems.add(error);
  return format;
}

/** The same for every string in a JSON format. */
export function checkedJsonFormat(fields: JsonObject, problems: Problems): JsonFormat {
  for (const error of validateJsonFormat(fields)) problems.add(error);
  return fields;
}
