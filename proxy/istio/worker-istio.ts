// Istio's filters in one worker: what they have in common, which is who this proxy is.

import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import { PeerMetadataHeaders } from './peer-metadata.ts';
import type { WorkloadNode } from './workload.ts';

export class WorkerIstio {
  #node: WorkloadNode = { id: '', metadata: {}, region: '', zone: '' };

  /** Before the first connection manager is compiled. */
  identify(node: Pick<WorkloadNode, 'id' | 'zone'> & Partial<WorkloadNode>): void {
    this.#node = { metadata: {}, region: '', ...node };
  }

  /** Null where nothing is exchanged. */
  compilePeerMetadata({ peerMetadata }: HttpConnectionManager): PeerMetadataHeaders | null {
    return peerMetadata === undefined ? null : new PeerMetadataHeaders(peerMetadata, this.#node);
  }
}
