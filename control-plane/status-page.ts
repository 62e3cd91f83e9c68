// What `--status` answers: `/status` for people and scripts, `/ready` for probes.

import { createServer, type Server } from 'node:http';
import type { SourceStatus } from '../config/dynamic-state.ts';
import type { ClientStream } from './client-stream.ts';
import type { Refusal } from './discovery-session.ts';
import type { FileProblem } from './resource-file.ts';
import type { ServedSnapshot } from './served-snapshot.ts';
import { servedType } from './served-type.ts';

export interface StatusSources {
  readonly folder: string;
  readonly files: () => readonly string[];
  readonly problems: () => readonly FileProblem[];
  readonly snapshots: () => ReadonlyMap<string, ServedSnapshot>;
  readonly groupFor: (nodeId: string) => string;
  readonly clients: () => Iterable<ClientStream>;
  readonly refusals: () => readonly KeptRefusal[];
  readonly upstreams: () => readonly SourceStatus[];
}

/** A refusal outlives the client that sent it. */
export interface KeptRefusal extends Refusal {
  readonly nodeId: string;
  readonly peer: string;
  readonly atMs: number;
}

/** Not listening yet. */
export function makeStatusServer(sources: StatusSources): Server {
  return createServer((request, response) => {
    const path = request.url!.split('?', 1)[0];
    response.setHeader('content-type', path === '/status' ? 'application/json' : 'text/plain; charset=utf-8');
    if (path === '/status') response.end(`${JSON.stringify(statusOf(sources), null, 2)}\n`);
    else if (path === '/ready') {
      const isReady = sources.snapshots().size > 0;
      response.statusCode = isReady ? 200 : 503;
      response.end(isReady ? 'ready\n' : 'nothing to serve yet: /status says why\n');
    } else {
      response.statusCode = 404;
      response.end('try /status or /ready\n');
    }
  });
}

export function statusOf(sources: StatusSources): object {
  return {
    ready: sources.snapshots().size > 0,
    folder: sources.folder,
    files: sources.files(),
    problems: sources.problems(),
    groups: [...sources.snapshots()].map(([group, snapshot]) => ({ nodes: group || '*', types: typesOf(snapshot) })),
    upstreams: sources.upstreams().map(({ name, target, connection, types }) => ({
      name,
      target,
      connection: connection.kind,
      ...(connection.kind === 'waiting' && { lastError: connection.lastError }),
      held: Object.fromEntries(types.map(({ typeUrl, heldCount }) => [nameOf(typeUrl), heldCount])),
    })),
    clients: [...sources.clients()].map((client) => clientOf(client, sources)),
    refusals: sources.refusals().map(({ nodeId, peer, typeUrl, version, text, atMs }) => ({
      node: nodeId,
      peer,
      type: nameOf(typeUrl),
      version,
      at: timeOf(atMs),
      text,
    })),
  };
}

function typesOf({ types }: ServedSnapshot): object {
  const entries = [...types].filter(([, { byName }]) => byName.size > 0);
  return Object.fromEntries(
    entries.map(([typeUrl, { version, byName }]) => [nameOf(typeUrl), { version, count: byName.size }]),
  );
}

function clientOf({ node, peer, session }: ClientStream, { groupFor }: StatusSources): object {
  return {
    node: node?.id ?? '',
    cluster: node?.cluster ?? '',
    userAgent: node?.userAgent ?? '',
    peer,
    group: groupFor(node?.id ?? '') || '*',
    protocol: session.protocol,
    types: session.status().map(({ typeUrl, isWildcard, subscribed, sentVersion, lastAck, lastNack }) => ({
      type: nameOf(typeUrl),
      subscribed: isWildcard ? ['*', ...subscribed] : subscribed,
      sentVersion,
      ...(lastAck && { acknowledged: { version: lastAck.version, at: timeOf(lastAck.atMs) } }),
      ...(lastNack && { refused: { version: lastNack.version, at: timeOf(lastNack.atMs), text: lastNack.text } }),
    })),
  };
}

function nameOf(typeUrl: string): string {
  return servedType(typeUrl)?.shortName ?? typeUrl;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
