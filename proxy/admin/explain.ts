// `/explain`: what would become of a request that is described in the query, in words or as JSON, by the configuration that
// is served now. Nothing is sent. Header fields are taken as they are given: those that a connection manager adds or takes
// away by who asks (`x-forwarded-for` and its like) are not made up.

import { formatAddress } from '../../config/address.ts';
import type { FilterChain, Listener, TcpProxy } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { ConnectionCriteria } from '../listener/filter-chain-match.ts';
import { compileFilterChainMatch } from '../listener/filter-chain-match.ts';
import { type AdminAnswer, type AdminRequest, failure, json, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';
import { type ExplainedCluster, type ExplainedTarget, explainCluster } from './explained-cluster.ts';
import { type DescribedRequest, type ExplainedRequest, explainRequest } from './explained-request.ts';
import { purposeOf, securityOfChain } from './security-overview.ts';

const maxHeaders = 100;
const listedNames = 20;
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function explain({ state }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const format = query.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return failure(400, 'usage: /explain?format=(json|text)&...\n');
  const { snapshot } = state;
  if (snapshot === null) return failure(503, 'no configuration is served yet\n');
  const listener = listenerOf(snapshot, query.get('listener'));
  if (typeof listener === 'string') return failure(400, listener);
  const request = requestOf(query);
  if (typeof request === 'string') return failure(400, request);
  const criteria = criteriaOf(query, listener);
  if (typeof criteria === 'string') return failure(400, criteria);
  const explanation = explainConnection({ snapshot, listener, criteria, request });
  return format === 'json' ? json(explanation) : text(textOf(explanation));
}

function listenerOf({ listeners }: Snapshot, name: string | null): Listener | string {
  const [only] = listeners.values();
  if (name === null && listeners.size === 1) return only!;
  const found = listeners.get(name ?? '');
  if (found !== undefined) return found;
  const names = [...listeners.keys()].slice(0, listedNames).map((each) => JSON.stringify(each));
  const more = listeners.size > listedNames ? ` and ${listeners.size - listedNames} more` : '';
  return `${name === null ? 'say which listener' : `there is no listener ${JSON.stringify(name)}`}: ${names.join(', ')}${more}\n`;
}

function requestOf(query: URLSearchParams): DescribedRequest | string {
  const lines = query.getAll('header');
  if (lines.length > maxHeaders) return `at most ${maxHeaders} header fields are taken\n`;
  const headers: [string, string][] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, Math.max(0, colon)), line.slice(colon + 1).trim()];
    if (!fieldName.test(name) || hasControl(value)) return `not a header field, name:value: ${JSON.stringify(line)}\n`;
    headers.push([name, value]);
  }
  const method = query.get('method') ?? 'GET';
  if (!fieldName.test(method)) return `not a method: ${JSON.stringify(method)}\n`;
  return { method, authority: query.get('authority') ?? '', path: query.get('path') ?? '/', headers };
}

function hasControl(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}

/** A connection from this machine to the listener's own address, unless the query says otherwise. */
function criteriaOf(query: URLSearchParams, { address, listenerFilters }: Listener): ConnectionCriteria | string {
  const own = address.kind === 'ip' ? { ip: address.ip, port: address.port } : { ip: '', port: 0 };
  const destination = endpointOf(query.get('destination'), own);
  const source = endpointOf(query.get('source'), { ip: '127.0.0.1', port: 0 });
  if (destination === null || source === null) return 'destination and source are addresses, ip:port\n';
  const serverName = (query.get('server_name') ?? '').toLowerCase();
  const alpn = (query.get('alpn') ?? '').split(',').filter((each) => each !== '');
  const isTls = serverName !== '' || alpn.length > 0 || query.has('tls');
  const isInspected = !isTls && listenerFilters.some(({ kind }) => kind === 'http-inspector');
  return {
    destinationIp: destination.ip,
    destinationPort: destination.port,
    serverName,
    transportProtocol: isTls ? 'tls' : 'raw_buffer',
    applicationProtocols: isInspected ? ['http/1.1'] : alpn,
    directSourceIp: source.ip,
    sourceIp: source.ip,
    sourcePort: source.port,
  };
}

interface IpPort {
  readonly ip: string;
  readonly port: number;
}

function endpointOf(value: string | null, otherwise: IpPort): IpPort | null {
  if (value === null) return otherwise;
  const parts = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15})):(\d{1,5})$/.exec(value);
  return parts === null ? null : { ip: parts[1] ?? parts[2]!, port: Number(parts[3]) };
}

interface Asked {
  readonly snapshot: Snapshot;
  readonly listener: Listener;
  readonly criteria: ConnectionCriteria;
  readonly request: DescribedRequest;
}

interface Explanation {
  readonly generation: number;
  readonly listener: { readonly name: string; readonly address: string };
  readonly filterChain: { readonly name: string; readonly purpose: string; readonly security: string } | null;
  /** Absent where connections are passed on as they are. */
  readonly request?: ExplainedRequest;
  /** Who may get it: more than one where weights decide. */
  readonly clusters: readonly ExplainedCluster[];
  /** Sentences, in the order of the decisions. */
  readonly words: readonly string[];
}

function explainConnection(asked: Asked): Explanation {
  const { snapshot, listener, criteria } = asked;
  const address = formatAddress(listener.address);
  const known = { generation: snapshot.generation, listener: { name: listener.name, address } };
  const words = [`listener ${JSON.stringify(listener.name)} at ${address}`];
  if (listener.useOriginalDst) {
    words.push('a connection that was headed to another listener is handed on: then ask for that one by its name');
  }
  const chain = compileFilterChainMatch(listener.filterChains, listener.defaultFilterChain).match(criteria);
  if (chain === null) {
    words.push('no filter chain is for such a connection, and there is no default one: it is closed');
    return { ...known, filterChain: null, clusters: [], words };
  }
  const filterChain = {
    name: chain.name || `filter_chains[${filterChainsOf(listener).indexOf(chain)}]`,
    purpose: purposeOf(chain),
    security: securityOfChain(chain),
  };
  const facts = [filterChain.purpose || 'for any connection', filterChain.security || 'plain text'];
  words.push(`filter chain ${JSON.stringify(filterChain.name)}: ${facts.join('; ')}`);
  return { ...known, filterChain, ...explainChain(asked, chain, words) };
}

function explainChain(
  { snapshot, criteria, request }: Asked,
  chain: FilterChain,
  words: string[],
): Pick<Explanation, 'request' | 'clusters' | 'words'> {
  const terminal = chain.filters.at(-1);
  if (terminal === undefined) return { clusters: [], words: [...words, 'it has no filter: the connection is closed'] };
  const isTcp = terminal.kind === 'tcp-proxy';
  const explained = isTcp
    ? undefined
    : explainRequest(snapshot, terminal.config, request, {
        isTls: chain.tls !== undefined,
        port: criteria.destinationPort,
      });
  const targets = explained?.targets ?? (isTcp ? tcpTargets(terminal.config) : []);
  const clusters = targets.map((target) => explainCluster(snapshot, target));
  if (isTcp) words.push('bytes are passed on as they are (TCP): there are no routes');
  return {
    ...(explained !== undefined && { request: explained.request }),
    clusters,
    words: [...words, ...(explained?.words ?? []), ...clusters.flatMap((cluster) => cluster.words)],
  };
}

function tcpTargets({ clusters }: TcpProxy): readonly ExplainedTarget[] {
  return clusters.length === 1 ? [{ name: clusters[0]!.name }] : clusters;
}

function textOf({ words }: Explanation): string {
  return words.map((line) => `${line}\n`).join('');
}
