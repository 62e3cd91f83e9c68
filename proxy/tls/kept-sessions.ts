// What connections of one context can resume, by the endpoint and the names that they were judged by. It goes with its context:
// a session that began with one certificate, or one set of roots, never goes on under another.
//
// Under TLS 1.3 tickets come behind the handshake, whenever the server likes. So the latest open connection is asked for one
// when the next begins, and each connection once more when it closes.

import type { TlsResumption } from '../../native/tls-resumption.ts';
import type { TlsSession } from '../../native/tls-session.ts';

interface Peer {
  /** The newest last. */
  readonly kept: TlsResumption[];
  /** Of the connection that was let in last; null when it is closed. */
  latest: TlsSession | null;
}

export class KeptSessions {
  readonly #maxOfPeer: number;
  /** The one that was used last is last. */
  readonly #peers = new Map<string, Peer>();
  #isClosed = false;

  /** Keeps `maxOfPeer` of each peer at most. */
  constructor(maxOfPeer: number) {
    this.#maxOfPeer = maxOfPeer;
  }

  /** Has a connection that begins go on with what another has left. */
  resume(key: string, session: TlsSession): void {
    const peer = this.#peers.get(key);
    if (peer === undefined) return;
    const found = peer.kept.at(-1) ?? peer.latest?.takeResumption();
    if (found === undefined) return;
    session.resume(found);
    if (found.isForOneUse) this.#drop(peer, found);
    else if (peer.kept.length === 0) peer.kept.push(found);
  }

  /** The peer of a connection was let in. */
  onLetIn(key: string, session: TlsSession): void {
    if (this.#isClosed) return;
    const peer = this.#peers.get(key) ?? { kept: [], latest: null };
    peer.latest = session;
    this.#peers.delete(key);
    this.#peers.set(key, peer);
    if (this.#peers.size > MAX_PEERS) this.#forget(this.#peers.keys().next().value!);
  }

  /** Before the session is freed. */
  onClosing(key: string, session: TlsSession): void {
    const peer = this.#peers.get(key);
    if (peer === undefined) return;
    if (peer.latest === session) peer.latest = null;
    const left = session.takeResumption();
    if (left === undefined) return;
    peer.kept.push(left);
    if (peer.kept.length > this.#maxOfPeer) peer.kept.shift()!.free();
  }

  /** Frees what is kept; nothing is kept any more. */
  close(): void {
    this.#isClosed = true;
    for (const key of [...this.#peers.keys()]) this.#forget(key);
  }

  /** How many are kept, of all peers. */
  get size(): number {
    let size = 0;
    for (const { kept } of this.#peers.values()) size += kept.length;
    return size;
  }

  #drop(peer: Peer, resumption: TlsResumption): void {
    if (peer.kept.at(-1) === resumption) peer.kept.pop();
    resumption.free();
  }

  #forget(key: string): void {
    for (const resumption of this.#peers.get(key)!.kept) resumption.free();
    this.#peers.delete(key);
  }
}

// Of one context; a session takes some KB. Beyond that the peer that was not met for longest begins anew.
const MAX_PEERS = 256;
