// Whether a data plane would take a resource, by the data plane's own decoders, and what the resource names of others.

import { type Address, formatAddress } from '../config/address.ts';
import type { Listener } from '../config/listener.ts';
import type { Problems } from '../config/problems.ts';
import { clustersOfListener, clustersOfRoutes, namedRoutesOf } from '../config/references.ts';
import { decodeCluster } from '../xds/decode/cluster.ts';
import { checkLiteralAddresses } from '../xds/decode/discovery.ts';
import { decodeLoadAssignment } from '../xds/decode/endpoint.ts';
import { decodeListener } from '../xds/decode/listener.ts';
import { decodeRouteConfiguration, decodeVirtualHost, defaultMaxDirectResponseBodyBytes } from '../xds/decode/route.ts';
import { decodeRuntimeValues } from '../xds/decode/runtime.ts';
import { decodeWrittenListener } from '../xds/decode/written-listener.ts';
import type { Cluster, ConfigSource, Listener as ListenerMessage } from '../xds/generated/messages.ts';
import type { JsonObject, Message } from '../xds/message/message-descriptor.ts';
import { withoutLocalSources } from './local-sources.ts';
import { noReferences, type ResourceReferences } from './served-snapshot.ts';
import type { ServedType } from './served-type.ts';

/** Records what is wrong with a message that the message checks have seen; see `readDocumentMessage`. */
export function checkResource(type: ServedType, written: Message, problems: Problems): ResourceReferences {
  const message = withoutLocalSources(written);
  switch (type.shortName) {
    case 'cds':
      return clusterReferences(message, problems);
    case 'eds':
      checkLiteralAddresses(decodeLoadAssignment(message, problems), problems);
      return noReferences;
    case 'lds':
      return listenerReferences(decodeWrittenListener(message, decodeWhole, problems)?.listener);
    case 'rds':
      return { ...noReferences, clusters: [...clustersOfRoutes(decodeRouteConfiguration(message, problems))] };
    case 'vhds':
      decodeVirtualHost(message, defaultMaxDirectResponseBodyBytes, problems);
      return noReferences;
    case 'rtds':
      decodeRuntimeValues((message['layer'] ?? {}) as JsonObject, problems.at('layer'));
      return noReferences;
    default:
      // Secrets may name files of the data plane's machine, and what an extension takes is known to who uses it.
      return noReferences;
  }
}

function clusterReferences(message: Message, problems: Problems): ResourceReferences {
  decodeCluster(message, undefined, problems);
  // Of the message, so that it is known also of a cluster that is not supported here.
  const { type, name = '', edsClusterConfig } = message as Cluster;
  const { edsConfig, serviceName } = edsClusterConfig ?? {};
  if (type !== 'EDS' || isElsewhere(edsConfig)) return noReferences;
  return { ...noReferences, assignment: serviceName ?? name };
}

/** A file of the data plane, or a control plane that it names: what that one has is not known here. */
function isElsewhere(source: ConfigSource | undefined): boolean {
  return (source?.pathConfigSource ?? source?.path ?? source?.apiConfigSource) !== undefined;
}

function decodeWhole(message: ListenerMessage, problems: Problems): Listener | undefined {
  return decodeListener(message, new Map(), problems);
}

function listenerReferences(listener: Listener | undefined): ResourceReferences {
  if (listener === undefined) return noReferences;
  const { bindToPort, address, additionalAddresses } = listener;
  return {
    clusters: [...clustersOfListener(listener)],
    routes: namedRoutesOf(listener).flatMap(({ name, source }) => (source.kind === 'ads' ? [name] : [])),
    addresses: (bindToPort ? [address, ...additionalAddresses] : []).filter(isOne).map(formatAddress),
  };
}

/** Port 0 is another port for each listener. */
function isOne(address: Address): boolean {
  return address.kind !== 'ip' || address.port !== 0;
}
