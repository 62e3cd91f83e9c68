// `/capture`: who redirects the application's connections to this proxy, and what became of each.

import type { CaptureCounters, CaptureOverview } from '../command/capture-overview.ts';
import { type AdminAnswer, type AdminRequest, failure, json, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';

export function capture({ capture }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const format = query.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return failure(400, 'usage: /capture?format=(json|text)\n\n');
  const overview = capture.overview();
  if (format === 'json') return json(overview);
  return text(
    overview === null ? 'Nothing is redirected by this proxy (--capture none); others may do so.\n' : asText(overview),
  );
}

const policies = {
  open: 'While no proxy listens, connections go where they were headed (policy open).',
  closed: 'While no proxy listens, connections fail (policy closed).',
};

function asText({ asked, by, problem, notes, policy, inbound, counters }: CaptureOverview): string {
  return [
    by === null ? `Nothing is captured (--capture ${asked}).` : `Captured by ${by} (--capture ${asked}).`,
    ...(problem === null ? [] : [`Not ready: ${problem}`]),
    ...notes,
    policies[policy],
    ...(inbound.length === 0 ? [] : [`Inbound connections are given to ${inbound.join(' and ')}.`]),
    ...counters.flatMap(countersText),
    '',
  ].join('\n');
}

function countersText({ group, counts }: CaptureCounters): string[] {
  const lines = Object.entries(counts).map(([name, count]) => `${String(count).padStart(12)}  ${plainName(name)}`);
  return ['', group, ...lines];
}

/** `passed_loopback` for people. */
function plainName(name: string): string {
  return name.replaceAll('_', ' ');
}
