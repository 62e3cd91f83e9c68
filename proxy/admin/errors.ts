// `/errors`: the latest requests that went wrong and whose trace was kept, each with its trace id and what happened.

import type { LatestError } from '../export/latest-errors.ts';
import { type AdminAnswer, type AdminRequest, failure, json, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';
import { cut, printable } from './printable.ts';

export function errors({ tracing }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const format = query.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return failure(400, 'usage: /errors?format=(json|text)\n\n');
  const latest = newestFirst(tracing.latestErrors());
  if (format === 'json') return json({ errors: latest });
  return text(latest.length === 0 ? 'No error was traced.\n' : latest.map(errorText).join(''));
}

/** The last, for the page. A peer may name an operation by a text of any length. */
export function shownErrors(latest: readonly LatestError[]): readonly LatestError[] {
  const shown = newestFirst(latest).slice(0, mostShown);
  return shown.map((error) => ({ ...error, sentence: cut(error.sentence, longestSentence) }));
}

const mostShown = 20;
/** Characters; JSON has the whole. */
const longestSentence = 1000;

/** Those of one second come together, in an order of their own. */
function newestFirst(latest: readonly LatestError[]): readonly LatestError[] {
  return latest.toSorted((left, right) => right.atMs - left.atMs);
}

function errorText({ atMs, traceId, service, route, flags, sentence }: LatestError): string {
  const place = [service, route].filter((part) => part !== '').join(' ');
  const line = `${new Date(atMs).toISOString()} ${traceId} ${flags} ${printable(place)}`.trimEnd();
  return `${line}\n  ${printable(cut(sentence, longestSentence))}\n`;
}
