// Where secrets stand that are written in place: they have no name of their own, and an operator has to find them.

import type { TransportSocket } from './cluster.ts';
import type { FilterChain } from './listener.ts';
import type { Snapshot } from './snapshot.ts';
import type { CommonTls, SecretReference } from './tls.ts';

const context = 'transport_socket.typed_config.common_tls_context';

/** By key: the file that it is read from, the field and the resource. Of the same in several places the first. */
export function placesOfInlineSecrets({
  listeners,
  clusters,
}: Pick<Snapshot, 'listeners' | 'clusters'>): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const { name, filterChains, defaultFilterChain } of listeners.values()) {
    const add = adderTo(places, `listener ${name}`);
    for (const [index, chain] of filterChains.entries()) addChain(chain, `filter_chains[${index}]`, add);
    if (defaultFilterChain !== undefined) addChain(defaultFilterChain, 'default_filter_chain', add);
  }
  for (const { name, transport, transportMatches } of clusters.values()) {
    const add = adderTo(places, `cluster ${name}`);
    addSocket(transport, context, add);
    for (const [index, match] of transportMatches.entries()) {
      addSocket(match.transport, `transport_socket_matches[${index}].${context}`, add);
    }
  }
  return places;
}

type Add = (reference: SecretReference, field: string) => void;

function adderTo(places: Map<string, string>, resource: string): Add {
  return ({ key, source }, field) => {
    if (source.kind !== 'inline' || places.has(key)) return;
    const { secret } = source;
    const isFile = secret.kind === 'certificate' && secret.certificateChain.kind === 'file';
    const file = isFile ? `${secret.certificateChain.path} ` : '';
    places.set(key, `${file}in ${field} of ${resource}`);
  };
}

function addChain({ tls }: FilterChain, place: string, add: Add): void {
  if (tls !== undefined) addCommon(tls, `${place}.${context}`, add);
}

function addSocket(socket: TransportSocket, place: string, add: Add): void {
  if (socket.kind === 'tls') addCommon(socket.tls, place, add);
}

function addCommon({ certificates, validation }: CommonTls, place: string, add: Add): void {
  for (const [index, reference] of certificates.entries()) add(reference, `${place}.tls_certificates[${index}]`);
  if (validation?.secret !== undefined) add(validation.secret, `${place}.validation_context`);
}
