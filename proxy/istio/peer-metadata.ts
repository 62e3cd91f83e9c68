// Istio's exchange of metadata over HTTP, in `x-envoy-peer-metadata` and `x-envoy-peer-metadata-id`: a client's sidecar
// tells of itself in every request, the endpoint's takes that out and tells of itself in the response.
//
// Ours is written once a connection manager. A peer's is the same with every request: it is read once, and then found by its
// bytes, never by the id beside it, under which a peer could pass for another.

import type { PeerMetadataExchange } from '../../config/istio-filter.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import { HeaderId } from '../http/header-name.ts';
import { type EncodedLine, encodeLine, type HeaderTable, headerIdSet } from '../http/header-table.ts';
import {
  decodeWorkload,
  encodeWorkload,
  MAX_HEADER_BYTES,
  type Workload,
  type WorkloadNode,
  workloadOfNode,
} from './workload.ts';

/** What a request brought, bit by bit: it is answered in kind. */
export const PeerMetadataPart = { metadata: 1, id: 2 } as const;

export class PeerMetadataHeaders {
  readonly #config: PeerMetadataExchange;
  readonly #metadataLine: EncodedLine;
  readonly #idLine: EncodedLine;
  readonly #peers: KnownPeers;

  constructor(config: PeerMetadataExchange, node: WorkloadNode) {
    const { additionalLabels } = config;
    this.#config = config;
    this.#metadataLine = encodeLine(METADATA, encodeWorkload(workloadOfNode(node, additionalLabels)));
    this.#idLine = encodeLine(ID, node.id.replaceAll(/[^!-~]/g, ''));
    this.#peers = new KnownPeers(additionalLabels);
  }

  /** Who sent this request; null when it does not say, or nobody asks. Its fields are taken out. */
  takeFromRequest(headers: HeaderTable): Workload | null {
    return this.#config.readsRequests ? this.#take(headers) : null;
  }

  /** Bits of `PeerMetadataPart`, to be asked before they are taken out; 0 where responses say nothing. */
  askedBy(headers: HeaderTable): number {
    if (!this.#config.answersRequests || !headers.mayHave(fields)) return 0;
    const metadata = headers.findId(HeaderId.xEnvoyPeerMetadata) < 0 ? 0 : PeerMetadataPart.metadata;
    return headers.findId(HeaderId.xEnvoyPeerMetadataId) < 0 ? metadata : metadata | PeerMetadataPart.id;
  }

  /** Tells the next hop, in place of whatever the application may have said. */
  addToRequest(headers: HeaderTable, cluster: ClusterRuntime): void {
    if (!this.#config.sendsRequests || this.#isOutside(cluster)) return;
    headers.removeAny(fields);
    headers.appendLine(this.#idLine);
    headers.appendLine(this.#metadataLine);
  }

  #isOutside({ name, config }: ClusterRuntime): boolean {
    const istio = config.metadata['istio'];
    const skips = this.#config.skipsExternalClusters;
    if (skips && name === 'PassthroughCluster') return true;
    return istio !== undefined && ((skips && istio['external'] === true) || istio['disable_mx'] === true);
  }

  /** As `takeFromRequest`, of an endpoint. */
  takeFromResponse(headers: HeaderTable): Workload | null {
    return this.#config.readsResponses ? this.#take(headers) : null;
  }

  /** Tells whoever asked; `asked` is of `askedBy`. */
  addToResponse(headers: HeaderTable, asked: number): void {
    if (asked === 0) return;
    if ((asked & PeerMetadataPart.id) !== 0) {
      headers.removeId(HeaderId.xEnvoyPeerMetadataId);
      headers.appendLine(this.#idLine);
    }
    if ((asked & PeerMetadataPart.metadata) === 0) return;
    headers.removeId(HeaderId.xEnvoyPeerMetadata);
    headers.appendLine(this.#metadataLine);
  }

  #take(headers: HeaderTable): Workload | null {
    if (!headers.mayHave(fields)) return null;
    const row = headers.findId(HeaderId.xEnvoyPeerMetadata);
    const peer = row < 0 ? null : this.#peers.find(headers, row);
    headers.removeAny(fields);
    return peer;
  }
}

/** Peers by the bytes of their header, the least recently used going first. */
class KnownPeers {
  readonly #additionalLabels: readonly string[];
  readonly #byHeader = new Map<string, Workload | null>();
  /** Most requests come from the peer of the one before. */
  #lastHeader: Buffer = Buffer.alloc(0);
  #last: Workload | null = null;

  constructor(additionalLabels: readonly string[]) {
    this.#additionalLabels = additionalLabels;
  }

  find(headers: HeaderTable, row: number): Workload | null {
    const start = headers.valueStart(row);
    const end = headers.valueEnd(row);
    if (end - start > MAX_HEADER_BYTES || start === end) return null;
    const last = this.#lastHeader;
    if (end - start === last.length && headers.bytes.compare(last, 0, last.length, start, end) === 0) return this.#last;
    const header = headers.value(row);
    this.#last = this.#lookUp(header);
    this.#lastHeader = Buffer.from(header, 'latin1');
    return this.#last;
  }

  #lookUp(header: string): Workload | null {
    const known = this.#byHeader.get(header);
    const peer = known === undefined ? decodeWorkload(header, this.#additionalLabels) : known;
    // A map keeps the order in which entries came: the used one is the youngest again.
    if (known !== undefined) this.#byHeader.delete(header);
    else if (this.#byHeader.size >= MAX_PEERS) this.#byHeader.delete(this.#byHeader.keys().next().value!);
    this.#byHeader.set(header, peer);
    return peer;
  }
}

/** With the bound of a header this is 1 MiB at most. */
const MAX_PEERS = 128;
const METADATA = 'x-envoy-peer-metadata';
const ID = 'x-envoy-peer-metadata-id';
const fields = headerIdSet([HeaderId.xEnvoyPeerMetadata, HeaderId.xEnvoyPeerMetadataId]);
