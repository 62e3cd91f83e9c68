// One client's stream: requests go to its session, and one response at a time to the client. While a response is on its
// way nothing is made for the client, however often the folder changes.

import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { ClientNode } from './discovery-message.ts';
import type { DiscoverySession, Refusal } from './discovery-session.ts';
import type { SnapshotCache } from './snapshot-cache.ts';

export interface ClientStreamOptions {
  readonly call: ServerDuplexStream<Buffer, Buffer>;
  readonly session: DiscoverySession;
  readonly cache: SnapshotCache;
  readonly onRefusal: (client: ClientStream, refusal: Refusal) => void;
  readonly onEnd: (client: ClientStream) => void;
}

export class ClientStream {
  readonly session: DiscoverySession;
  /** Address of the client. */
  readonly peer: string;
  /** Undefined before the first request, which must have one. */
  node: ClientNode | undefined;
  readonly #options: ClientStreamOptions;
  readonly #unfollow: () => void;
  #isWriting = false;
  #hasEnded = false;

  constructor(options: ClientStreamOptions) {
    const { call, session, cache } = options;
    this.session = session;
    this.peer = call.getPeer();
    this.#options = options;
    this.#unfollow = cache.follow(() => this.#send());
    call.on('data', (message: Buffer) => this.#onMessage(message));
    call.once('end', () => {
      call.end();
      this.#onEnd();
    });
    call.once('cancelled', () => this.#onEnd());
    call.once('error', () => this.#onEnd());
    call.once('close', () => this.#onEnd());
  }

  /** Ends it as a server that goes away: the client comes back, to another one or later. */
  end(): void {
    this.#fail(status.UNAVAILABLE, 'the control plane is stopping');
  }

  #onMessage(message: Buffer): void {
    if (this.#hasEnded) return;
    const outcome = this.session.onRequest(message);
    if (outcome.kind === 'failed') {
      this.#fail(status[outcome.code], outcome.reason);
      return;
    }
    this.node ??= outcome.node;
    if (this.node === undefined) {
      this.#fail(status.INVALID_ARGUMENT, 'the first request needs a node');
      return;
    }
    if (outcome.refusal !== undefined) this.#options.onRefusal(this, outcome.refusal);
    this.#send();
  }

  #send(): void {
    if (this.#isWriting || this.#hasEnded || this.node === undefined) return;
    const snapshot = this.#options.cache.snapshotFor(this.node.id);
    const response = snapshot && this.session.next(snapshot);
    if (response === undefined) return;
    this.#isWriting = true;
    this.#options.call.write(response, () => {
      this.#isWriting = false;
      this.#send();
    });
  }

  #fail(code: status, details: string): void {
    if (this.#hasEnded) return;
    this.#options.call.emit('error', { code, details });
    this.#onEnd();
  }

  #onEnd(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#unfollow();
    this.#options.onEnd(this);
  }
}
