// `/sampling`: how often traces are kept, by key, and why.

import type { KeyOverview, SamplingBudget, SamplingOverview } from '../export/sampling-overview.ts';
import { type AdminAnswer, type AdminRequest, failure, json, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';
import { printable } from './printable.ts';

/** Keys of the text and of the page; JSON has all. */
export const shownKeys = 50;

export function sampling({ tracing }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const format = query.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return failure(400, 'usage: /sampling?format=(json|text)\n\n');
  const overview = tracing.overview();
  if (format === 'json') return json(overview);
  return text(
    overview === null ? 'Nothing is traced: no request came to a listener with a provider.\n' : asText(overview),
  );
}

function asText({ rates, budget, tracesPerSecond, passing, keys }: SamplingOverview): string {
  const others = keys.length - shownKeys;
  return [
    rates === 'settings'
      ? 'Rates are those of the sampling file (--sampling-config).'
      : 'Rates are the percentages of connection managers and routes.',
    budget === null
      ? `${rounded(tracesPerSecond)} traces left in the last second.`
      : budgetText(budget, tracesPerSecond),
    ...(passing.head < 1 ? [`More are chosen than may leave: ${percent(passing.head)} of them do.`] : []),
    ...(passing.error < 1 ? [`More errors come than may leave: ${percent(passing.error)} of them do.`] : []),
    '',
    'requests/s  begun  chosen    kept  not kept  key',
    ...keys.slice(0, shownKeys).map(keyText),
    ...(others > 0 ? [`and ${others} more: ?format=json`] : []),
    '',
  ].join('\n');
}

function budgetText({ tracesPerSecond, settingsPerSecond, scope, replicas }: SamplingBudget, used: number): string {
  const share =
    scope === 'service' ? ` (of ${rounded(settingsPerSecond)} of the service, for ${replicas} instances)` : '';
  return `${rounded(used)} traces left in the last second; ${rounded(tracesPerSecond)} may${share}.`;
}

function keyText(key: KeyOverview): string {
  const { service, route, method, headerRule, requestsPerSecond, begunPerSecond, probability, kept, dropped } = key;
  const place = [service || '(no cluster)', route, method].filter((part) => part !== '');
  const name = service === '*' ? '(all others)' : printable(place.join(' '));
  const rule = headerRule === null ? '' : ` [rule ${headerRule}]`;
  const columns = [
    requestsPerSecond.toFixed(1).padStart(10),
    (requestsPerSecond === 0 ? '-' : percent(begunPerSecond / requestsPerSecond)).padStart(5),
    (probability === null ? '-' : percent(probability)).padStart(6),
    String(sumOf(kept)).padStart(6),
    String(sumOf(dropped)).padStart(8),
  ];
  return `${columns.join('  ')}  ${name}${rule}${reasonsText(kept, dropped)}`;
}

function reasonsText(kept: KeyOverview['kept'], dropped: KeyOverview['dropped']): string {
  const counts = (reasons: Readonly<Record<string, number>>) =>
    Object.entries(reasons)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ');
  const parts = [counts(kept), counts(dropped) && `not: ${counts(dropped)}`].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function rounded(value: number): string {
  return value >= 10 ? value.toFixed(0) : String(Number(value.toFixed(1)));
}

/** At most four characters before the sign. */
function percent(share: number): string {
  const value = share * 100;
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toPrecision(2)} %`;
}
