// The secrets that listeners and clusters name.

import type { Cluster, TransportSocket } from './cluster.ts';
import type { FilterChain, Listener } from './listener.ts';
import type { Secret } from './secret.ts';
import type { CommonTls, SecretReference } from './tls.ts';

/** One use of a secret. */
export interface NamedSecret {
  readonly reference: SecretReference;
  /** What it must be. */
  readonly kind: Secret['kind'];
}

/** Each secret once. */
export function secretsOfListener({
  filterChains,
  defaultFilterChain,
}: Pick<Listener, 'filterChains' | 'defaultFilterChain'>): readonly NamedSecret[] {
  const found = new Map<string, NamedSecret>();
  const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
  for (const chain of chains) addChain(chain, found);
  return found.size === 0 ? none : [...found.values()];
}

/** Each secret once. */
export function secretsOfCluster({
  transport,
  transportMatches,
}: Pick<Cluster, 'transport' | 'transportMatches'>): readonly NamedSecret[] {
  const found = new Map<string, NamedSecret>();
  addSocket(transport, found);
  for (const match of transportMatches) addSocket(match.transport, found);
  return found.size === 0 ? none : [...found.values()];
}

/** Whether keys are written in what is named, rather than where they are found. */
export function holdKeys(secrets: readonly NamedSecret[]): boolean {
  return secrets.some(({ reference: { source } }) => {
    if (source.kind !== 'inline') return false;
    const { secret } = source;
    if (secret.kind === 'certificate') return secret.privateKey.kind === 'inline' || secret.password?.kind === 'inline';
    return secret.kind === 'session-ticket-keys' && secret.keys.some(({ kind }) => kind === 'inline');
  });
}

const none: readonly NamedSecret[] = [];

function addChain({ tls }: FilterChain, found: Map<string, NamedSecret>): void {
  if (tls === undefined) return;
  addCommon(tls, found);
  if (tls.sessionTickets.kind === 'keys') add(tls.sessionTickets.keys, 'session-ticket-keys', found);
}

function addSocket(socket: TransportSocket, found: Map<string, NamedSecret>): void {
  if (socket.kind === 'tls') addCommon(socket.tls, found);
}

function addCommon({ certificates, validation }: CommonTls, found: Map<string, NamedSecret>): void {
  for (const reference of certificates) add(reference, 'certificate', found);
  if (validation?.secret !== undefined) add(validation.secret, 'validation-context', found);
}

/** A secret that is named as two kinds is there twice: it cannot be both. */
function add(reference: SecretReference, kind: Secret['kind'], found: Map<string, NamedSecret>): void {
  found.set(`${kind} ${reference.key}`, { reference, kind });
}
