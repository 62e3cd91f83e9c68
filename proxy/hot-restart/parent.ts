// This process towards its successor: lets it in, passes sockets, and retires when it serves.

import { Errno } from '../../native/errno.ts';
import { ReadableWatch } from '../../native/readiness.ts';
import { accept } from '../../native/socket.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';
import { Channel, closeAll } from './channel.ts';
import { decodeFromSuccessor, type FromSuccessor, hotRestartVersion } from './message.ts';
import { type ParentAction, type ParentEvent, type ParentState, parentTransition } from './parent-state.ts';

export interface NamedDescriptor {
  readonly name: string;
  readonly fd: number;
}

export interface ParentOptions {
  /** A listening seqpacket socket; who opened it closes it. */
  readonly fd: number;
  readonly epoch: number;
  readonly generation: number;
  /** Of the first process of all, milliseconds since the epoch. */
  readonly firstStartedAtMs: number;
  /** What we have for an address; stays ours. */
  readonly socketsAt: (wanted: WantedAddress) => readonly number[];
  /** What is passed beside listening sockets; stays ours. */
  readonly namedDescriptors: () => readonly NamedDescriptor[];
  /** Gives the admin address up and accepts nothing more. */
  readonly retire: () => void;
  readonly log: { info(text: string): void; warn(text: string): void };
}

export class HotRestartParent {
  readonly #options: ParentOptions;
  /** By number, the oldest first. */
  readonly #peers = new Map<number, Channel>();
  #peerCount = 0;
  #state: ParentState = { kind: 'starting' };
  #isClosed = false;
  #watch: ReadableWatch;

  /** Listens from now on. */
  constructor(options: ParentOptions) {
    this.#options = options;
    this.#watch = this.#listen();
  }

  /** Every worker serves: a successor is welcome. */
  serves(): void {
    this.#dispatch({ kind: 'serves' });
  }

  get isRetiring(): boolean {
    return this.#state.kind === 'retiring';
  }

  /** Gives the successor that we have retired for a file of what we have counted. It stays ours. */
  sendStatistics(file: number): void {
    if (this.#state.kind !== 'retiring') return;
    this.#peers.get(this.#state.successor)?.send({ kind: 'statistics' }, [file]);
  }

  close(): void {
    this.#isClosed = true;
    this.#watch.close();
    for (const peer of this.#peers.values()) peer.close();
    this.#peers.clear();
  }

  #acceptAll(): void {
    let fd = accept(this.#options.fd);
    for (; fd >= 0; fd = accept(this.#options.fd)) this.#admit(new Channel(fd));
    if (fd !== -Errno.EAGAIN) this.#pause();
  }

  // Without a descriptor to spare a peer stays where it is, and would be announced again at once.
  #pause(): void {
    this.#watch.close();
    setTimeout(() => {
      if (!this.#isClosed) this.#watch = this.#listen();
    }, pauseMs).unref();
  }

  #listen(): ReadableWatch {
    return new ReadableWatch(this.#options.fd, () => this.#acceptAll());
  }

  #admit(peer: Channel): void {
    if (!peer.isOfOurUser) {
      this.#options.log.warn(`process ${peer.peerPid} asked for sockets: it is not of our user and gets none`);
      peer.close();
      return;
    }
    if (this.#peers.size >= maxPeers) this.#dropOldest();
    const number = this.#peerCount++;
    this.#peers.set(number, peer);
    peer.watch(() => this.#receive(number, peer));
  }

  #dropOldest(): void {
    const successor = this.#successor();
    for (const number of this.#peers.keys()) {
      if (number === successor) continue;
      this.#drop(number);
      return;
    }
  }

  #successor(): number | undefined {
    return this.#state.kind === 'accompanied' || this.#state.kind === 'retiring' ? this.#state.successor : undefined;
  }

  #drop(number: number): void {
    this.#peers.get(number)?.close();
    this.#peers.delete(number);
    this.#dispatch({ kind: 'gone', peer: number });
  }

  #receive(number: number, peer: Channel): void {
    while (!peer.isClosed) {
      const received = peer.receive();
      if (received.kind === 'none') return;
      if (received.kind === 'end') {
        this.#drop(number);
        return;
      }
      // A successor has nothing to pass.
      closeAll(received.descriptors);
      const message = received.descriptors.length > 0 ? undefined : decodeFromSuccessor(received.bytes);
      if (message === undefined) {
        this.#options.log.warn(`process ${peer.peerPid} sent what is no message of a hot restart`);
        this.#drop(number);
        return;
      }
      this.#onMessage(number, message);
    }
  }

  #onMessage(peer: number, message: FromSuccessor): void {
    if (message.kind === 'hello') {
      const problem = this.#mismatch(message);
      if (problem !== undefined) this.#refuse(peer, problem);
      else this.#dispatch({ kind: 'hello', peer });
      return;
    }
    const action = this.#dispatch({ kind: message.kind, peer });
    if (message.kind === 'sockets' && action.kind === 'pass-sockets') this.#passSockets(peer, message);
  }

  #mismatch({ version, epoch }: Extract<FromSuccessor, { kind: 'hello' }>): string | undefined {
    if (version !== hotRestartVersion) return `speaks version ${hotRestartVersion} of hot restart, not ${version}`;
    const next = this.#options.epoch + 1;
    return epoch === next
      ? undefined
      : `has restart epoch ${this.#options.epoch}, which ${next} follows and not ${epoch}`;
  }

  #dispatch(event: ParentEvent): ParentAction {
    const [state, action] = parentTransition(this.#state, event);
    this.#state = state;
    const peer = 'peer' in event ? event.peer : -1;
    switch (action.kind) {
      case 'welcome':
        this.#welcome(peer);
        break;
      case 'refuse':
        this.#refuse(peer, action.reason);
        break;
      case 'retire':
        this.#options.log.info(`process ${this.#peers.get(peer)!.peerPid} serves: it gets all new connections`);
        this.#options.retire();
        this.#send(peer, { kind: 'retired' });
        break;
      case 'go-on':
        this.#options.log.warn('a successor has left before it served; this process goes on as before');
        break;
      case 'close':
        this.#drop(peer);
    }
    return action;
  }

  #welcome(peer: number): void {
    const { firstStartedAtMs, generation, log, namedDescriptors } = this.#options;
    const named = namedDescriptors();
    log.info(`process ${this.#peers.get(peer)!.peerPid} gets ready to take over`);
    const message = { kind: 'welcome', generation, firstStartedAtMs, names: named.map(({ name }) => name) } as const;
    this.#send(
      peer,
      message,
      named.map(({ fd }) => fd),
    );
  }

  #refuse(peer: number, reason: string): void {
    this.#options.log.warn(`process ${this.#peers.get(peer)!.peerPid} cannot take over: this process ${reason}`);
    this.#send(peer, { kind: 'refused', reason });
    this.#drop(peer);
  }

  #passSockets(peer: number, wanted: WantedAddress): void {
    const sockets = this.#options.socketsAt(wanted);
    let sent = 0;
    do {
      const some = sockets.slice(sent, sent + socketsPerMessage);
      sent += some.length;
      this.#send(peer, { kind: 'sockets', isLast: sent >= sockets.length }, some);
    } while (sent < sockets.length);
  }

  #send(peer: number, ...message: Parameters<Channel['send']>): void {
    const channel = this.#peers.get(peer);
    if (channel !== undefined && !channel.send(...message)) this.#drop(peer);
  }
}

const pauseMs = 1000;
/** Of any of our own processes: a successor says hello at once. */
const maxPeers = 16;
/** The kernel takes 253; the messages of one answer must fit into the socket's buffer. */
const socketsPerMessage = 64;
