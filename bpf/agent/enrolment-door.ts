// The agent's Unix socket. Every pod of the node may come here, so each peer has little room and little time: one line of a
// bounded length, two descriptors, seconds to say what it wants, a pause after each request, few connections a pod.
// Who a peer is comes from the kernel (peer-identity.ts); what it may do is decided by who handles its requests.
//
// Descriptors come with recvmsg(2), which Node's own sockets do not call: so the sockets are ours, in an epoll set
// that Node's loop watches.

import { chmodSync, lstatSync, rmSync, unlinkSync } from 'node:fs';
import { Epoll, EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import type { ReadableWatch } from '../../native/readiness.ts';
import { accept, bind, close, listen, send, shutdownBoth } from '../../native/socket.ts';
import { createUnixSocket, type ReceivedMessage, receiveMessage } from '../../native/unix-message.ts';
import type { CgroupTree } from '../cgroup/cgroup-tree.ts';
import { FolderLock } from '../loader/folder-lock.ts';
import { isFailure, type LoadFailure, systemFailure } from '../loader/load-failure.ts';
import { noDescriptorLeft, unlessExhausted } from './descriptor-room.ts';
import {
  type AgentReply,
  type AgentRequest,
  MOST_LINE_BYTES,
  type Refusal,
  readRequest,
  refusal,
  writeReply,
} from './enrolment-protocol.ts';
import { closeForeign } from './foreign-descriptor.ts';
import { LineReader } from './line-reader.ts';
import { identifyPeer, type PeerIdentity } from './peer-identity.ts';

export interface DoorOptions {
  readonly socketPath: string;
  readonly tree: CgroupTree;
  readonly handler: RequestHandler;
  /** How long a peer may take for a request, from its connection or its first byte on. */
  readonly requestWithinMs?: number;
  readonly mostPeers?: number;
  readonly mostPeersOfPod?: number;
}

/** A connection, while it lasts. */
export interface Peer {
  readonly identity: PeerIdentity;
}

export interface RequestHandler {
  /** Descriptors are the handler's, to close whatever it answers. */
  handle(peer: Peer, request: AgentRequest, descriptors: readonly number[]): AgentReply;
  /** The connection ended. */
  onGone(peer: Peer): void;
  /** A peer was turned away, for the log. */
  onRefused(reason: string, identity: PeerIdentity | undefined): void;
}

export class EnrolmentDoor {
  readonly #options: Required<DoorOptions>;
  readonly #lock: FolderLock;
  readonly #listening: number;
  readonly #epoll = new Epoll();
  readonly #watch: ReadableWatch;
  readonly #peers = new Map<number, Connection>();
  readonly #buffer = new NativeBuffer(READ_BYTES);
  #generation = 0;
  #isClosed = false;

  private constructor(options: Required<DoorOptions>, lock: FolderLock, listening: number) {
    this.#options = options;
    this.#lock = lock;
    this.#listening = listening;
    this.#epoll.add(listening, 0, EpollEvent.readable);
    this.#watch = this.#epoll.watch((count) => this.#onEvents(count));
  }

  /** Refused when another agent serves the same socket. */
  static open(options: DoorOptions): EnrolmentDoor | LoadFailure {
    const { socketPath } = options;
    const lock = FolderLock.take(`${socketPath}.lock`);
    if (isFailure(lock)) {
      return {
        ...lock,
        reason: `another agent serves ${socketPath}, or this process may not write beside it (${lock.reason})`,
      };
    }
    const listening = listenAt(socketPath);
    if (typeof listening === 'number') return new EnrolmentDoor({ ...LIMITS, ...options }, lock, listening);
    lock.release();
    return listening;
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  /** Ends a peer's connection; its handler is not told. */
  drop(peer: Peer): void {
    for (const [fd, connection] of this.#peers) if (connection === peer) this.#end(fd, connection);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const [fd, connection] of this.#peers) this.#end(fd, connection);
    this.#watch.close();
    this.#epoll.close();
    close(this.#listening);
    rmSync(this.#options.socketPath, { force: true });
    this.#lock.release();
  }

  #onEvents(count: number): void {
    for (let index = 0; index < count && !this.#isClosed; index++)
      this.#onReady(this.#epoll.descriptor(index), this.#epoll.generation(index));
  }

  #onReady(fd: number, generation: number): void {
    if (fd === this.#listening) this.#accept();
    const connection = this.#peers.get(fd);
    // A number that was given to another connection since.
    if (connection?.generation === generation) this.#receive(fd, connection);
  }

  #accept(): void {
    for (let count = 0; count < ACCEPTED_AT_ONCE; count++) {
      const fd = accept(this.#listening);
      if (fd === -Errno.EMFILE || fd === -Errno.ENFILE) {
        this.#restFromAccepting();
        return;
      }
      if (fd < 0) return;
      const identity = identifyPeer(fd, this.#options.tree);
      const problem = typeof identity === 'string' ? identity : this.#crowdProblem(identity);
      if (typeof identity === 'string' || problem !== undefined) {
        this.#options.handler.onRefused(problem!, typeof identity === 'string' ? undefined : identity);
        say(fd, refusal(problem!));
        if (typeof identity !== 'string') identity.close();
        close(fd);
        continue;
      }
      const connection = new Connection(identity, ++this.#generation);
      this.#peers.set(fd, connection);
      this.#epoll.add(fd, connection.generation, EpollEvent.readable);
      this.#limitTime(fd, connection);
    }
  }

  /** Whoever waits to be accepted keeps the socket readable, and this thread busy. */
  #restFromAccepting(): void {
    this.#options.handler.onRefused(noDescriptorLeft, undefined);
    this.#epoll.remove(this.#listening);
    setTimeout(() => {
      if (!this.#isClosed) this.#epoll.add(this.#listening, 0, EpollEvent.readable);
    }, REST_MS).unref();
  }

  #crowdProblem(identity: PeerIdentity): string | undefined {
    const { mostPeers, mostPeersOfPod } = this.#options;
    if (this.#peers.size >= mostPeers) return `this agent serves ${mostPeers} connections already`;
    if (identity.pod === undefined) return undefined;
    const { uid } = identity.pod;
    const ofPod = [...this.#peers.values()].filter((peer) => peer.identity.pod?.uid === uid).length;
    return ofPod < mostPeersOfPod ? undefined : `pod ${uid} has ${mostPeersOfPod} connections to this agent already`;
  }

  #receive(fd: number, connection: Connection): void {
    const message = receiveMessage(fd, this.#buffer);
    if (message === -Errno.EAGAIN) return;
    if (typeof message === 'number' || message.length === 0) {
      this.#gone(fd, connection);
      return;
    }
    connection.descriptors.push(...message.descriptors);
    const lines = connection.lines.push(this.#buffer.bytes.subarray(0, message.length));
    const problem = requestProblem(connection, lines);
    if (problem !== undefined) this.#refuse(fd, connection, refusal(problem));
    else if (lines?.[0] !== undefined) this.#answer(fd, connection, lines[0]);
    else if (connection.deadline === undefined) this.#limitTime(fd, connection);
  }

  #answer(fd: number, connection: Connection, line: string): void {
    clearTimeout(connection.deadline);
    connection.deadline = undefined;
    const request = readRequest(line);
    if (request.kind === 'refused') {
      this.#refuse(fd, connection, request);
      return;
    }
    const descriptors = connection.descriptors.splice(0);
    const outcome = unlessExhausted(() => this.#options.handler.handle(connection, request, descriptors));
    const reply = typeof outcome === 'string' ? refusal(outcome) : outcome;
    connection.isEnrolled ||= reply.kind === 'enrolled';
    // Whoever holds a pod does not lose it by a request that could not be done.
    if (reply.kind === 'refused' && !connection.isEnrolled) this.#refuse(fd, connection, reply);
    else if (!say(fd, reply)) this.#gone(fd, connection);
    else this.#pause(fd, connection);
  }

  /** A peer that asks without end gets an answer now and then, and the others get theirs. */
  #pause(fd: number, connection: Connection): void {
    this.#epoll.remove(fd);
    connection.deadline = setTimeout(() => {
      connection.deadline = undefined;
      if (connection.lines.isWithinLine || !connection.isEnrolled) this.#limitTime(fd, connection);
      this.#epoll.add(fd, connection.generation, EpollEvent.readable);
    }, PAUSE_MS).unref();
  }

  #limitTime(fd: number, connection: Connection): void {
    const { requestWithinMs } = this.#options;
    connection.deadline = setTimeout(() => {
      this.#refuse(fd, connection, refusal(`no whole request came within ${requestWithinMs} ms`));
    }, requestWithinMs).unref();
  }

  #refuse(fd: number, connection: Connection, reply: Refusal): void {
    this.#options.handler.onRefused(reply.reason, connection.identity);
    say(fd, reply);
    this.#gone(fd, connection);
  }

  #gone(fd: number, connection: Connection): void {
    this.#end(fd, connection);
    this.#options.handler.onGone(connection);
  }

  #end(fd: number, connection: Connection): void {
    clearTimeout(connection.deadline);
    this.#peers.delete(fd);
    // What is still on its way would be closed with the connection.
    shutdownBoth(fd);
    for (let rest = receiveMessage(fd, this.#buffer); isMessage(rest); rest = receiveMessage(fd, this.#buffer))
      connection.descriptors.push(...rest.descriptors);
    for (const descriptor of connection.descriptors.splice(0)) closeForeign(descriptor);
    connection.identity.close();
    close(fd);
  }
}

class Connection implements Peer {
  readonly identity: PeerIdentity;
  readonly generation: number;
  readonly lines = new LineReader(MOST_LINE_BYTES);
  /** Those of the request that is arriving. */
  readonly descriptors: number[] = [];
  isEnrolled = false;
  /** Of the request, or the end of the pause after one. */
  deadline: NodeJS.Timeout | undefined;

  constructor(identity: PeerIdentity, generation: number) {
    this.identity = identity;
    this.generation = generation;
  }
}

const LIMITS = { requestWithinMs: 5000, mostPeers: 1024, mostPeersOfPod: 4 };
const MOST_DESCRIPTORS = 2;
const ACCEPTED_AT_ONCE = 32;
const PAUSE_MS = 20;
const REST_MS = 200;
const BACKLOG = 128;
const READ_BYTES = 16_384;

function requestProblem({ descriptors }: Connection, lines: readonly string[] | undefined): string | undefined {
  if (descriptors.length > MOST_DESCRIPTORS) return `more than ${MOST_DESCRIPTORS} descriptors were handed over`;
  if (lines === undefined) return `a request is a line of UTF-8 of at most ${MOST_LINE_BYTES} bytes`;
  return lines.length > 1 ? 'a request waits for the answer to the one before' : undefined;
}

function isMessage(received: ReceivedMessage | number): received is ReceivedMessage {
  return typeof received !== 'number' && received.length > 0;
}

/** A socket at `path` for everybody: the kernel says who comes, the file's mode does not keep anybody out. */
function listenAt(path: string): number | LoadFailure {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isSocket()) {
    return { reason: `${path} is there and is no socket`, wayOut: 'give another path, or remove the file' };
  }
  // The lock is ours, so that nobody serves it: it is of an agent that did not end by itself.
  if (there !== undefined) unlinkSync(path);
  const fd = createUnixSocket('stream');
  if (fd < 0) return systemFailure('make a socket', fd);
  const bound = bind(fd, { kind: 'pipe', path });
  const result = bound < 0 ? bound : listen(fd, BACKLOG);
  if (result < 0) {
    close(fd);
    return systemFailure(`listen at ${path}`, result);
  }
  chmodSync(path, 0o666);
  return fd;
}

/** False when the peer does not take it: answers are short, so it reads none. */
function say(fd: number, reply: AgentReply): boolean {
  const bytes = Buffer.from(writeReply(reply));
  const buffer = new NativeBuffer(bytes.length);
  bytes.copy(buffer.bytes);
  return send(fd, buffer, 0, bytes.length) === bytes.length;
}
