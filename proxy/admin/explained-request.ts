// What a connection manager would do with a request: the virtual host, the routes that do not match and why, the one that
// does, and the clusters it names.

import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { Route, RouteAction, VirtualHost } from '../../config/route.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { fromByteString, toByteString } from '../format/byte-string.ts';
import { compileAuthorityNormalizer, isValidAuthority } from '../http/authority.ts';
import { HeaderId, headerName } from '../http/header-name.ts';
import { readTarget } from '../http/http1/target-form.ts';
import { RequestHead } from '../http/message.ts';
import { compilePathNormalizer } from '../http/path-normalization.ts';
import { compileRouteTable } from '../route/route-table.ts';
import type { RouteVerdict } from '../route/virtual-host.ts';
import type { ExplainedTarget } from './explained-cluster.ts';

/** Of more routes that do not match, the last ones are told. */
const listedRoutes = 100;

export interface DescribedRequest {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface ExplainedRequest {
  readonly method: string;
  /** As routes see them. */
  readonly authority: string;
  readonly path: string;
  readonly routeConfiguration: string;
  readonly virtualHost: string | null;
  /** Routes up to the one that is taken, with what each asks for that the request has not; null for the one taken. */
  readonly routes: readonly RouteVerdict[];
  readonly omittedRoutes: number;
  readonly outcome: 'forward' | 'redirect' | 'direct-response' | 'refused' | 'no-route';
  /** Of an answer that this proxy gives itself. */
  readonly status?: number;
}

interface Explained {
  readonly request: ExplainedRequest;
  readonly targets: readonly ExplainedTarget[];
  readonly words: readonly string[];
}

interface Arrival {
  readonly isTls: boolean;
  readonly port: number;
}

export function explainRequest(
  snapshot: Snapshot,
  manager: HttpConnectionManager,
  described: DescribedRequest,
  arrival: Arrival,
): Explained {
  const { routes } = manager;
  const config = routes.kind === 'inline' ? routes.routes : snapshot.routes.get(routes.name);
  const name = routes.kind === 'inline' ? routes.routes.name : routes.name;
  const head = headOf(described, arrival.isTls);
  const refusal = prepare(head, snapshot, manager, arrival.port);
  const base = {
    method: head.method,
    authority: fromByteString(head.authority),
    path: fromByteString(head.path),
    routeConfiguration: name,
    virtualHost: null,
    routes: [],
    omittedRoutes: 0,
  };
  if (refusal !== null) {
    const request = { ...base, outcome: 'refused' as const, status: refusal.status };
    return { request, targets: [], words: [`the request is answered with ${refusal.status}: ${refusal.reason}`] };
  }
  if (config === undefined) {
    const words = [`route configuration ${JSON.stringify(name)} is not there: the answer is 404 (NR)`];
    return { request: { ...base, outcome: 'no-route', status: 404 }, targets: [], words };
  }
  const table = compileRouteTable(config, { suppressEnvoyHeaders: true });
  // The lowest draw: a route that takes a share of the requests is shown to take this one.
  const explained = table.explain(head, { random: () => 0, runtime: snapshot.runtime });
  const virtualHost = table.findVirtualHost(head.authority)?.config;
  const verdicts = explained.routes;
  const request = {
    ...base,
    virtualHost: explained.virtualHost,
    routes: verdicts.slice(-listedRoutes),
    omittedRoutes: Math.max(0, verdicts.length - listedRoutes),
  };
  const words = [...wordsOfSearch(request), ...request.routes.filter(isRejected).map(wordsOfRejection)];
  return finish({ request, words, head, snapshot }, virtualHost, verdicts);
}

function headOf({ method, authority, path, headers }: DescribedRequest, isTls: boolean): RequestHead {
  const head = new RequestHead();
  head.method = method;
  head.path = toByteString(path);
  head.authority = toByteString(authority);
  head.scheme = isTls ? 'https' : 'http';
  if (authority !== '') head.headers.append('Host', head.authority);
  for (const [name, value] of headers) head.headers.append(name, toByteString(value));
  if (head.headers.findId(HeaderId.xForwardedProto) < 0) head.headers.append('x-forwarded-proto', head.scheme);
  return head;
}

/** Brings authority and path into the form that routes see, as for a request; returns why it is refused. */
function prepare(
  head: RequestHead,
  { runtime }: Snapshot,
  manager: HttpConnectionManager,
  port: number,
): { readonly status: number; readonly reason: string } | null {
  const { authority, scheme } = head;
  const refused = readTarget(head.method === 'CONNECT' ? authority : head.path, head, {
    allowAbsoluteUrl: manager.http1.allowAbsoluteUrl,
    rejectPathWithFragment: runtime.get('envoy.reloadable_features.http_reject_path_with_fragment') !== false,
  });
  if (refused !== null) return refused;
  head.scheme = scheme;
  if (head.authority === '') head.authority = authority;
  if (!isValidAuthority(head.authority)) return { status: 400, reason: 'the authority does not name one valid host' };
  head.authority = compileAuthorityNormalizer(manager)(head.authority, port);
  if (head.method === 'CONNECT') return null;
  if (!head.path.startsWith('/')) return { status: 404, reason: 'the path does not begin with a slash' };
  const path = compilePathNormalizer(manager)(head.path);
  if (typeof path !== 'string') {
    return path.kind === 'reject'
      ? { status: 400, reason: path.reason }
      : { status: 307, reason: `the path is unescaped to ${JSON.stringify(fromByteString(path.path))}` };
  }
  head.path = path;
  return null;
}

type Unfinished = Omit<ExplainedRequest, 'outcome'>;

function wordsOfSearch({
  method,
  authority,
  path,
  routeConfiguration,
  virtualHost,
  omittedRoutes,
}: Unfinished): string[] {
  const asked = `${method} ${JSON.stringify(path)} at ${JSON.stringify(authority)}`;
  const host = virtualHost === null ? 'no virtual host' : `virtual host ${JSON.stringify(virtualHost)}`;
  const words = [`${asked}: ${host} of route configuration ${JSON.stringify(routeConfiguration)}`];
  if (omittedRoutes > 0) words.push(`  ${omittedRoutes} routes before these do not match`);
  return words;
}

function isRejected({ rejection }: RouteVerdict): boolean {
  return rejection !== null;
}

function wordsOfRejection({ route, rejection }: RouteVerdict): string {
  return `  route ${JSON.stringify(route)} does not match: ${withoutControls(rejection ?? '')}`;
}

/** What a query or a configuration holds must not look like a line of this answer. */
function withoutControls(words: string): string {
  return JSON.stringify(fromByteString(words)).slice(1, -1).replaceAll('\\"', '"');
}

interface Search {
  readonly request: Unfinished;
  readonly words: readonly string[];
  readonly head: RequestHead;
  readonly snapshot: Snapshot;
}

function finish(search: Search, virtualHost: VirtualHost | undefined, verdicts: readonly RouteVerdict[]): Explained {
  const { request, words, head, snapshot } = search;
  const taken = verdicts.at(-1);
  if (virtualHost === undefined || taken === undefined || taken.rejection !== null) {
    const why = virtualHost === undefined ? 'no domain covers the authority' : 'no route matches';
    const status = 404;
    return {
      request: { ...request, outcome: 'no-route', status },
      targets: [],
      words: [...words, `${why}: the answer is 404 (NR)`],
    };
  }
  const route = virtualHost.routes[verdicts.length - 1];
  const isTlsRedirect =
    taken.route === 'redirect to https' && request.routes.length === 1 && virtualHost.requireTls !== 'none';
  if (isTlsRedirect || route === undefined) {
    const done = { ...request, outcome: 'redirect' as const, status: 301 };
    return {
      request: done,
      targets: [],
      words: [...words, 'the virtual host requires TLS: the answer is 301 to https'],
    };
  }
  const line = `route ${JSON.stringify(taken.route)} is taken${shareOf(route)}: ${wordsOfAction(route.action)}`;
  const status = route.action.kind === 'forward' ? {} : { status: route.action.status };
  return {
    request: { ...request, outcome: route.action.kind, ...status },
    targets: targetsOf(route.action, head, snapshot),
    words: [...words, line],
  };
}

function shareOf({ match: { runtimeFraction } }: Route): string {
  return runtimeFraction === undefined
    ? ''
    : ` by ${runtimeFraction.numerator} of ${runtimeFraction.denominator} requests`;
}

function wordsOfAction(action: RouteAction): string {
  switch (action.kind) {
    case 'forward': {
      const limit = action.timeoutMs === 0 ? 'no timeout' : `a timeout of ${action.timeoutMs} ms`;
      const retries = action.retryPolicy === undefined ? '' : `, ${action.retryPolicy.numRetries} retries`;
      return `it forwards, with ${limit}${retries}`;
    }
    case 'redirect':
      return `the answer is ${action.status}, a redirect`;
    case 'direct-response':
      return `the answer is ${action.status}, written in the configuration`;
  }
}

function targetsOf(action: RouteAction, { headers, authority }: RequestHead, { runtime }: Snapshot): ExplainedTarget[] {
  if (action.kind !== 'forward') return [];
  const { target, clusterNotFoundStatus: missingStatus } = action;
  const nameOf = (each: { kind: 'cluster'; name: string } | { kind: 'cluster-header'; header: string }): string => {
    if (each.kind === 'cluster') return each.name;
    if (/^(:authority|host)$/i.test(each.header)) return fromByteString(authority);
    const row = headers.find(headerName(each.header));
    return row < 0 ? '' : fromByteString(headers.value(row));
  };
  if (target.kind !== 'weighted') return [{ name: nameOf(target), missingStatus }];
  return target.clusters.map((each) => {
    const name = nameOf(each.target);
    const override = target.runtimeKeyPrefix === '' ? undefined : runtime.get(`${target.runtimeKeyPrefix}.${name}`);
    return { name, missingStatus, weight: typeof override === 'number' && override >= 0 ? override : each.weight };
  });
}
