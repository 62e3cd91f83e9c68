// HTTP/1 protocol options (`config.core.v3.Http1ProtocolOptions`), downstream and upstream.

import type { Http1Options } from '../../config/http-connection-manager.ts';
import type { Problems } from '../../config/problems.ts';
import type { Http1ProtocolOptions } from '../generated/messages.ts';
import { extensionType } from './extension.ts';

export function decodeHttp1Options(message: Http1ProtocolOptions | undefined, problems: Problems): Http1Options {
  return {
    acceptHttp10: message?.acceptHttp10 ?? false,
    defaultHostForHttp10: message?.defaultHostForHttp10 ?? '',
    enableTrailers: message?.enableTrailers ?? false,
    allowAbsoluteUrl: message?.allowAbsoluteUrl ?? true,
    allowCustomMethods: message?.allowCustomMethods ?? false,
    headerCase: decodeHeaderCase(message, problems.at('header_key_format')),
  };
}

const preserveCase = 'envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig';
const formatter = { what: 'header formatter', known: [preserveCase] } as const;

/** Without a format names keep the case in which they were received, where Envoy makes them lower case. */
export function decodeHeaderCase(
  message: Http1ProtocolOptions | undefined,
  problems: Problems,
): Http1Options['headerCase'] {
  const format = message?.headerKeyFormat;
  if (format?.statefulFormatter !== undefined) {
    extensionType(format.statefulFormatter, formatter, problems.at('stateful_formatter'));
  }
  return format?.properCaseWords === undefined ? 'preserve' : 'proper-case';
}
