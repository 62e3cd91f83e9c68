// This process towards the one that it succeeds: asks for sockets while listeners are opened, and tells it to retire as
// soon as all workers serve.

import { describeErrno, Errno } from '../../native/errno.ts';
import { waitUntilReadable } from '../../native/readiness.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';
import { Channel, closeAll } from './channel.ts';
import { decodeFromParent, type FromParent, hotRestartVersion } from './message.ts';
import { addressOf, connectTo, type RendezvousName } from './rendezvous.ts';
import { type SuccessorEvent, type SuccessorState, successorTransition } from './successor-state.ts';

export interface SuccessorOptions {
  /** Takes what the parent has counted, a file of its own. */
  readonly onStatistics: (file: number) => void;
  /** The parent does not do its part; it serves, so that we had better not. */
  readonly giveUp: (reason: string) => never;
  readonly log: { info(text: string): void; warn(text: string): void };
  /** Longest wait for an answer of the parent's main thread; default 10 s. */
  readonly answerWithinMs?: number;
}

export interface Welcome {
  readonly generation: number;
  readonly firstStartedAtMs: number;
  /** Ours, by name. */
  readonly namedDescriptors: ReadonlyMap<string, number>;
}

/** What came of an attempt to find the parent. */
export type Introduction =
  | { readonly kind: 'welcome'; readonly channel: Channel; readonly welcome: Welcome }
  /** Nobody listens there. */
  | { readonly kind: 'absent'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** Says hello to the process named `parent`, and waits for its answer. */
export function introduce(parent: RendezvousName, epoch: number, answerWithinMs = defaultAnswerMs): Introduction {
  const { path } = addressOf(parent);
  const fd = connectTo(parent);
  if (fd === -Errno.ECONNREFUSED || fd === -Errno.ENOENT)
    return { kind: 'absent', reason: `nobody listens on ${path}` };
  if (fd < 0) return { kind: 'refused', reason: `cannot connect to ${path}: ${describeErrno(-fd)}` };
  const channel = new Channel(fd);
  const outcome = greet(channel, epoch, answerWithinMs);
  if (outcome.kind !== 'welcome') channel.close();
  return outcome;
}

function greet(channel: Channel, epoch: number, answerWithinMs: number): Introduction {
  const who = `process ${channel.peerPid}`;
  if (!channel.isOfOurUser) return { kind: 'refused', reason: `${who} is not of our user` };
  channel.send({ kind: 'hello', version: hotRestartVersion, epoch });
  const answer = nextMessage(channel, answerWithinMs);
  if (typeof answer === 'string') return { kind: 'refused', reason: `${who} ${answer}` };
  const { message, descriptors } = answer;
  if (message.kind === 'welcome' && message.names.length === descriptors.length) {
    const { firstStartedAtMs, generation, names } = message;
    const namedDescriptors = new Map(names.map((name, index) => [name, descriptors[index]!]));
    return { kind: 'welcome', channel, welcome: { generation, firstStartedAtMs, namedDescriptors } };
  }
  closeAll(descriptors);
  const reason = message.kind === 'refused' ? message.reason : 'did not answer hello as it must';
  return { kind: 'refused', reason: `${who} ${reason}` };
}

export class HotRestartSuccessor {
  readonly #channel: Channel;
  readonly #options: SuccessorOptions;
  readonly #adminFree = Promise.withResolvers<void>();
  #state: SuccessorState = { kind: 'loading' };

  /** Owns `channel`, on which we are welcome. */
  constructor(channel: Channel, options: SuccessorOptions) {
    this.#channel = channel;
    this.#options = options;
    channel.watch(() => this.#receiveAll());
  }

  /** Resolves when the parent has left its admin address to us. */
  get adminFree(): Promise<void> {
    return this.#adminFree.promise;
  }

  /** The parent's sockets for an address. They are the caller's. */
  inherit(wanted: WantedAddress): readonly number[] {
    if (this.#state.kind !== 'loading') return [];
    const { address, ipv4Compatible, listener } = wanted;
    // Without what a pipe has besides: the file's mode is set already.
    const named = address.kind === 'pipe' ? { kind: address.kind, path: address.path } : address;
    this.#channel.send({ kind: 'sockets', listener, address: named, ipv4Compatible });
    const sockets: number[] = [];
    for (;;) {
      const answer = nextMessage(this.#channel, this.#options.answerWithinMs ?? defaultAnswerMs);
      if (answer === hasEnded) {
        this.#dispatch({ kind: 'gone' });
        return sockets;
      }
      if (typeof answer === 'string') return this.#options.giveUp(`process ${this.#channel.peerPid} ${answer}`);
      if (answer.message.kind !== 'sockets') {
        closeAll(answer.descriptors);
        return this.#options.giveUp(`process ${this.#channel.peerPid} answers ${answer.message.kind} to sockets`);
      }
      sockets.push(...answer.descriptors);
      if (answer.message.isLast) return sockets;
    }
  }

  /** Every worker serves. */
  serves(): void {
    this.#dispatch({ kind: 'serves' });
  }

  close(): void {
    this.#channel.close();
    this.#adminFree.resolve();
  }

  #receiveAll(): void {
    while (!this.#channel.isClosed) {
      const received = this.#channel.receive();
      if (received.kind === 'none') return;
      const message = received.kind === 'end' ? undefined : decodeFromParent(received.bytes);
      if (received.kind === 'end' || message === undefined) {
        if (received.kind === 'message') closeAll(received.descriptors);
        this.#dispatch({ kind: 'gone' });
        return;
      }
      this.#onMessage(message, received.descriptors);
    }
  }

  #onMessage(message: FromParent, descriptors: readonly number[]): void {
    if (message.kind === 'retired') this.#dispatch({ kind: 'retired' });
    if (message.kind === 'statistics' && descriptors.length === 1 && this.#state.kind === 'succeeded') {
      this.#options.onStatistics(descriptors[0]!);
    }
    closeAll(descriptors);
  }

  #dispatch(event: SuccessorEvent): void {
    const [state, action] = successorTransition(this.#state, event);
    this.#state = state;
    const { giveUp, log } = this.#options;
    switch (action.kind) {
      case 'take-over':
        if (!this.#channel.send({ kind: 'take-over' })) this.#dispatch({ kind: 'gone' });
        break;
      case 'open-admin':
        log.info(`process ${this.#channel.peerPid} has retired: it accepts nothing more`);
        this.#adminFree.resolve();
        break;
      case 'go-on-alone':
        log.warn(`process ${this.#channel.peerPid} has ended before it retired; its sockets are here`);
        this.#adminFree.resolve();
        break;
      case 'distrust':
        giveUp(`process ${this.#channel.peerPid} retires though nobody took over`);
    }
    if (state.kind === 'alone') this.close();
  }
}

interface Answer {
  readonly message: FromParent;
  readonly descriptors: readonly number[];
}

/** Blocks this thread. A sentence without its subject when there is none. */
function nextMessage(channel: Channel, withinMs: number): Answer | string {
  let received = channel.receive();
  while (received.kind === 'none') {
    // A signal ends the wait early, after which we wait anew.
    if (waitUntilReadable(channel.fd, withinMs) === 0) return `did not answer within ${withinMs / 1000} s`;
    received = channel.receive();
  }
  if (received.kind === 'end') return received.problem ?? hasEnded;
  const message = decodeFromParent(received.bytes);
  if (message !== undefined) return { message, descriptors: received.descriptors };
  closeAll(received.descriptors);
  return 'sent what is no message of a hot restart';
}

const hasEnded = 'has ended the connection';
const defaultAnswerMs = 10_000;
