// How replies of the proxy itself look (`LocalReplyConfig`).

import type { LocalReplyConfig, LocalReplyFormat, LocalReplyMapper } from '../../config/http-connection-manager.ts';
import type { Problems } from '../../config/problems.ts';
import type { LocalReplyConfig as Message, ResponseMapper, SubstitutionFormatString } from '../generated/messages.ts';
import { decodeAccessLogFilter } from './access-log.ts';
import { decodeTextSource } from './data-source.ts';
import { given } from './given.ts';
import { decodeHeaderAdditions } from './header-mutation.ts';
import { decodeLogFormat } from './log-format.ts';

export function decodeLocalReply(message: Message, problems: Problems): LocalReplyConfig {
  const mappers: LocalReplyMapper[] = [];
  for (const [index, mapper] of (message.mappers ?? []).entries()) {
    const decoded = decodeMapper(mapper, problems.at('mappers').item(index));
    if (decoded !== undefined) mappers.push(decoded);
  }
  return { mappers, ...given('bodyFormat', decodeBodyFormat(message.bodyFormat, problems.at('body_format'))) };
}

function decodeMapper(message: ResponseMapper, problems: Problems): LocalReplyMapper | undefined {
  const filter = decodeAccessLogFilter(message.filter, problems.at('filter'));
  const body = message.body && decodeTextSource(message.body, problems.at('body'));
  const bodyFormat = decodeBodyFormat(message.bodyFormatOverride, problems.at('body_format_override'));
  const headersToAdd = decodeHeaderAdditions(message.headersToAdd, problems.at('headers_to_add'));
  if (filter === undefined) return undefined;
  return {
    filter,
    ...given('status', message.statusCode),
    ...given('body', body),
    ...given('bodyFormat', bodyFormat),
    headersToAdd,
  };
}

function decodeBodyFormat(
  message: SubstitutionFormatString | undefined,
  problems: Problems,
): LocalReplyFormat | undefined {
  const format = message && decodeLogFormat(message, problems);
  if (message === undefined || format === undefined) return undefined;
  const usualType = format.kind === 'json' ? 'application/json' : 'text/plain';
  return { format, contentType: message.contentType ?? usualType };
}
