// What a stream asked for, of all types together: the same for both protocols.

import type { ClientNode } from './discovery-message.ts';
import { maxNamesOfStream, maxTypesOfStream, type RequestOutcome, tooManySubscriptions } from './discovery-session.ts';
import { assignmentType } from './served-type.ts';
import { inSendingOrder, type SubscriptionStatus, TypeSubscription } from './type-subscription.ts';

/** What a request of either protocol says beside its names. */
export interface AnsweringRequest {
  readonly node: ClientNode | undefined;
  readonly responseNonce: string;
  readonly refusal: string | undefined;
}

export class SessionTypes {
  readonly #byTypeUrl = new Map<string, TypeSubscription>();
  #order: readonly TypeSubscription[] = [];

  get(typeUrl: string): TypeSubscription | undefined {
    return this.#byTypeUrl.get(typeUrl);
  }

  /** The first request of a type. */
  begin(typeUrl: string): TypeSubscription {
    const type = new TypeSubscription(typeUrl);
    this.#byTypeUrl.set(typeUrl, type);
    this.#order = inSendingOrder(this.#byTypeUrl);
    return type;
  }

  /** In the order in which changes are sent. */
  get inOrder(): readonly TypeSubscription[] {
    return this.#order;
  }

  /**
   * What becomes of a request when its names were taken over: the stream ends when they are too many, and what it says of
   * an earlier response is noted.
   */
  finish(
    type: TypeSubscription,
    { node, responseNonce, refusal: text }: AnsweringRequest,
    atMs: number,
  ): RequestOutcome {
    if (this.#names() > maxNamesOfStream || this.#byTypeUrl.size > maxTypesOfStream) {
      return { kind: 'failed', code: 'RESOURCE_EXHAUSTED', reason: tooManySubscriptions };
    }
    if (responseNonce === '' && text === undefined) return { kind: 'taken', node, refusal: undefined };
    const version = type.onAnswer(responseNonce, text, atMs);
    return { kind: 'taken', node, refusal: text === undefined ? undefined : { typeUrl: type.typeUrl, version, text } };
  }

  /**
   * Envoy warms a changed EDS cluster until its assignment comes again, which the client does not ask for:
   * https://github.com/envoyproxy/envoy/issues/13009. Names may be undefined: of clusters without one.
   */
  resendAssignments(names: Iterable<string | undefined>): void {
    const assignments = this.#byTypeUrl.get(assignmentType.typeUrl);
    if (assignments === undefined) return;
    for (const name of names) if (name !== undefined && assignments.held.delete(name)) assignments.markChanged();
  }

  status(): readonly SubscriptionStatus[] {
    return this.#order.map((type) => type.status());
  }

  #names(): number {
    let count = 0;
    for (const { names, held } of this.#order) count += names.size + held.size;
    return count;
  }
}
