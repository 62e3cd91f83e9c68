// Clusters (CDS).

import type { Cluster, SourceAddress } from '../../config/cluster.ts';
import { holdKeys, secretsOfCluster } from '../../config/secret-references.ts';
import { decodeCluster } from '../decode/cluster.ts';
import type { Cluster as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

/** `defaultBind` is the source address of clusters without one of their own (`cluster_manager.upstream_bind_config`). */
export function clusterDecoder(defaultBind: SourceAddress | undefined): ResourceDecoder<Cluster> {
  return makeResourceDecoder({
    messageName: 'envoy.config.cluster.v3.Cluster',
    shortName: 'cds',
    isDecodedAhead: true,
    decode: (message: Message, problems) => decodeCluster(message, defaultBind, problems),
    holdsKeys: (cluster) => holdKeys(secretsOfCluster(cluster)),
  });
}
