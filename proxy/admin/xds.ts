// `/xds`: how it stands with each control plane, and which generation of the configuration each worker runs. Envoy has
// nothing like it; with it, "did my change arrive, and what was wrong with it" is one request.

import type { SourceStatus, TypeStatus } from '../../config/dynamic-state.ts';
import type { OnDemandStatus } from '../../config/on-demand.ts';
import type { Problem } from '../../config/problems.ts';
import { type AdminAnswer, type AdminRequest, failure, json, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';
import { lastRefusal } from './last-refusal.ts';
import { missingParts } from './missing-parts.ts';

export function xds({ dynamic, pool, state }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const format = query.get('format') ?? 'text';
  const generation = state.snapshot?.generation ?? 0;
  const workers = pool.generations;
  const missing = missingParts(state);
  const demanded = dynamic.onDemand?.() ?? [];
  if (format === 'json') {
    return json({ generation, workers, missing, sources: dynamic.sources().map(sourceJson), on_demand: demanded });
  }
  if (format !== 'text') return failure(400, `format ${format} is not known; one of text, json\n`);
  const running = workers.map((each, index) => `worker ${index} runs generation ${each}\n`).join('');
  const sources = dynamic.sources();
  const none = 'There is no control plane: the configuration is that of the bootstrap.\n';
  const followed = sources.length === 0 ? none : sources.map(sourceText).join('\n');
  return text(`generation ${generation}\n${running}${missingText(missing)}${demandText(demanded)}\n${followed}`);
}

/** As many lines as a person reads. */
const maxMissingLines = 20;

function missingText(missing: readonly Problem[]): string {
  if (missing.length === 0) return '';
  const lines = missing.slice(0, maxMissingLines).map(({ path, message }) => `  ${path}: ${message}\n`);
  const rest = missing.length - lines.length;
  return `\nwhat is served lacks:\n${lines.join('')}${rest === 0 ? '' : `  and ${rest} more (?format=json has all)\n`}`;
}

const kinds = { cluster: 'cluster', 'virtual-host': 'virtual host' } as const;

/** What requests asked for: how many of each state. `?format=json` has the names. */
function demandText(demanded: readonly OnDemandStatus[]): string {
  const lines = (['virtual-host', 'cluster'] as const).flatMap((kind) => {
    const own = demanded.filter((each) => each.kind === kind);
    if (own.length === 0) return [];
    const counted = (['waiting', 'present', 'absent', 'unanswered'] as const).map(
      (state) => [own.filter((each) => each.state === state).length, state] as const,
    );
    const states = counted.flatMap(([count, state]) => (count === 0 ? [] : `${count} ${state}`));
    return `${own.length} ${kinds[kind]}${own.length === 1 ? '' : 's'} (${states.join(', ')})`;
  });
  return lines.length === 0 ? '' : `\non demand: ${lines.join('; ')}\n`;
}

function sourceText(source: SourceStatus): string {
  const { name, protocol, target, connection, types } = source;
  const shown = types.filter(isUsed);
  switch (protocol) {
    case 'file':
      return `${name}: ${fileText(connection)}\n${shown.map(typeText).join('')}`;
    case 'own':
      return `${name}: ${target}, ${identityText(connection)}\n${shown.map(typeText).join('')}`;
    case 'delta':
    case 'state-of-the-world':
      return `${name}: ${protocol} from ${target}, ${connectionText(connection)}\n${shown.map(typeText).join('')}`;
  }
}

/** A file has its path in its name, and is read again when it is replaced. */
function fileText(connection: SourceStatus['connection']): string {
  switch (connection.kind) {
    case 'connecting':
      return 'not read yet';
    case 'connected':
      return `read at ${timeOf(connection.sinceMs)}`;
    case 'waiting':
      return `cannot be used (${connection.lastError}); what was read before stays in use`;
  }
}

/** Nobody sends it: it is here as soon as its issuer has signed it. */
function identityText(connection: SourceStatus['connection']): string {
  return connection.kind === 'connected' ? `there since ${timeOf(connection.sinceMs)}` : 'which is not there yet';
}

function connectionText(connection: SourceStatus['connection']): string {
  switch (connection.kind) {
    case 'connecting':
      return 'connecting';
    case 'connected': {
      const whom = connection.controlPlane === '' ? '' : ` to ${connection.controlPlane}`;
      return `connected${whom} since ${timeOf(connection.sinceMs)}`;
    }
    case 'waiting':
      return `not connected (${connection.lastError}), next attempt ${timeOf(connection.untilMs)}`;
  }
}

/** A stream may carry types that nothing asks for. */
function isUsed({ isWildcard, subscribed, responses }: TypeStatus): boolean {
  return isWildcard || subscribed.length > 0 || responses > 0;
}

function typeText(type: TypeStatus): string {
  const subscribed = type.isWildcard ? 'everything' : `${type.subscribed.length} names`;
  const lines = [
    `  ${type.typeUrl.slice(type.typeUrl.lastIndexOf('/') + 1)}`,
    `    subscribed to ${subscribed}, holds ${type.heldCount}`,
    `    ${type.responses === 0 ? silenceText(type) : responsesText(type)}`,
  ];
  if (type.lastNack !== undefined) {
    const { version, atMs, text: why } = type.lastNack;
    lines.push(`    refused ${quoted(version)} at ${timeOf(atMs)}:`, ...why.split('\n').map((line) => `      ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

function silenceText({ heldCount }: TypeStatus): string {
  return heldCount === 0 ? 'no response yet' : 'no response yet: an earlier run accepted what is held';
}

function responsesText({ lastAck, responses, bytesReceived, lastApplyMs }: TypeStatus): string {
  const ack = lastAck === undefined ? 'nothing yet' : `${quoted(lastAck.version)} at ${timeOf(lastAck.atMs)}`;
  return `acknowledged ${ack}; ${responses} responses, ${bytesReceived} bytes, last applied in ${lastApplyMs.toFixed(1)} ms`;
}

function quoted(version: string): string {
  return version === '' ? 'a response without a version' : `version ${version}`;
}

function sourceJson({ connection, types, ...source }: SourceStatus): unknown {
  return {
    ...source,
    connection: {
      state: connection.kind,
      ...(connection.kind === 'connected' && {
        since: timeOf(connection.sinceMs),
        control_plane: connection.controlPlane,
      }),
      ...(connection.kind === 'waiting' && { until: timeOf(connection.untilMs), last_error: connection.lastError }),
    },
    types: types.map(typeJson),
  };
}

function typeJson(type: TypeStatus): unknown {
  return {
    type_url: type.typeUrl,
    wildcard: type.isWildcard,
    subscribed: type.subscribed,
    held: type.heldCount,
    version: type.version,
    refused: lastRefusal(type) !== undefined,
    ...(type.lastAck !== undefined && {
      last_ack: { version: type.lastAck.version, at: timeOf(type.lastAck.atMs) },
    }),
    ...(type.lastNack !== undefined && {
      last_nack: { version: type.lastNack.version, at: timeOf(type.lastNack.atMs), text: type.lastNack.text },
    }),
    responses: type.responses,
    bytes_received: type.bytesReceived,
    last_apply_ms: type.lastApplyMs,
  };
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
