// Format strings of access logs and local replies (`config.core.v3.SubstitutionFormatString`).

import type { JsonFormat, LogFormat } from '../config/access-log.ts';
import type { Problems } from '../config/problems.ts';
import { decodeTextSource } from './decode-data-source.ts';
import type { SubstitutionFormatString } from './generated/messages.ts';

export function decodeLogFormat(message: SubstitutionFormatString, problems: Problems): LogFormat | undefined {
  const omitEmptyValues = message.omitEmptyValues ?? false;
  if (message.jsonFormat !== undefined) {
    const sortProperties = message.jsonFormatOptions?.sortProperties ?? false;
    return { kind: 'json', fields: message.jsonFormat as JsonFormat, omitEmptyValues, sortProperties };
  }
  const format = decodeText(message, problems);
  return format === undefined ? undefined : { kind: 'text', format, omitEmptyValues };
}

function decodeText(message: SubstitutionFormatString, problems: Problems): string | undefined {
  if (message.textFormat !== undefined) return message.textFormat;
  if (message.textFormatSource === undefined) return undefined;
  return decodeTextSource(message.textFormatSource, problems.at('text_format_source'));
}
