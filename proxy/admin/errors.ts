// `/errors`: the latest requests that went wrong and whose trace was kept, each with its trace id and what happened.

import type { LatestError } from '../export/latest-errors.ts';
import { type AdminAnswer, type AdminRequest, failure, json, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';

export function errors({ tracing }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const format = query.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return failure(400, 'usage: /errors?format=(json|text)\n\n');
  const latest = tracing.latestErrors();
  if (format === 'json') return json({ errors: latest });
  return text(latest.length === 0 ? 'No error was traced.\n' : latest.map(errorText).join(''));
}

function errorText({ atMs, traceId, service, route, flags, sentence }: LatestError): string {
  const place = [service, route].filter((part) => part !== '').join(' ');
  return `${new Date(atMs).toISOString()} ${traceId} ${flags} ${place}\n  ${sentence}\n`;
}
