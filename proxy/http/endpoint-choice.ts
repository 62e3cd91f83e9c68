// The endpoint of one attempt, and the pool of its connections: fills the context that all choices of the worker share and
// asks the cluster.

import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointPool } from '../cluster/endpoint-pool.ts';
import { poolOf } from '../cluster/endpoint-pools.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { ConnectionManager } from './connection-manager.ts';
import { type HeaderName, headerName } from './header-name.ts';
import type { RetryState } from './retry-state.ts';
import type { Stream } from './stream.ts';

/** Null when there is none. `retry` is null on the first attempt. */
export function chooseEndpoint(
  stream: Stream,
  cluster: ClusterRuntime,
  retry: RetryState | null,
): EndpointRuntime | null {
  const { chooseContext } = stream.manager.context;
  chooseContext.excluded = retry === null ? null : retry.excluded;
  if (retry !== null) chooseContext.hostSelectionMaxAttempts = retry.policy.hostSelectionMaxAttempts;
  const { discovery } = cluster.config;
  if (discovery.kind === 'original-dst') {
    chooseContext.originalDestination = stream.facts.originalDestination ?? '';
    chooseContext.originalDestinationHeader = discovery.useHttpHeader
      ? namedDestination(stream, discovery.httpHeaderName)
      : null;
  }
  return cluster.chooseEndpoint(chooseContext);
}

/** Where an attempt goes. */
export interface AttemptPlace {
  readonly cluster: ClusterRuntime;
  readonly endpoint: EndpointRuntime;
  /** Whom the request is for, which makes connections differ (`auto_sni`). */
  readonly authority: string;
}

/** Null when the endpoint has too many kinds of connections already. */
export function choosePool(
  stream: Stream,
  { cluster, endpoint, authority }: AttemptPlace,
  priority: 'default' | 'high',
): EndpointPool | null {
  const { head, manager } = stream;
  const { context } = manager;
  const { transport } = endpoint;
  const variant = transport === null ? null : transport.variantFor(authority, offeredTo(cluster, manager));
  const connector = isTerminated(stream) ? context.rawConnector : context.connector.carrierOf(head, cluster, endpoint);
  return poolOf(context, { cluster, endpoint, variant, connector }, priority);
}

/** The request ends here, and its bytes go to the endpoint as they are. */
function isTerminated({ head: { method }, route }: Stream): boolean {
  if ((method !== 'CONNECT' && method !== 'POST') || route?.action.kind !== 'forward') return false;
  const termination = route.action.config.connectTermination;
  return termination !== undefined && (method === 'CONNECT' || termination.allowsPost);
}

/** Null where the cluster keeps its own: Istio says so of those whose protocols an operator has chosen. */
function offeredTo({ config }: ClusterRuntime, { offeredProtocols }: ConnectionManager): readonly string[] | null {
  return config.metadata['istio']?.['alpn_override'] === 'false' ? null : offeredProtocols;
}

const defaultName = headerName('x-envoy-original-dst-host');
/** Names that clusters ask for: a handful in all configurations that a worker ever sees. */
const otherNames = new Map<string, HeaderName>();

// The first field is the one that counts, as in Envoy; null when there is none, and the connection's own destination stands.
function namedDestination(stream: Stream, httpHeaderName: string): string | null {
  const { headers } = stream.head;
  const row = headers.find(destinationName(httpHeaderName));
  return row < 0 ? null : headers.value(row);
}

function destinationName(httpHeaderName: string): HeaderName {
  if (httpHeaderName === '' || httpHeaderName === defaultName.text) return defaultName;
  let name = otherNames.get(httpHeaderName);
  if (name === undefined) {
    name = headerName(httpHeaderName);
    otherNames.set(httpHeaderName, name);
  }
  return name;
}
