// An epoll set (epoll(7)) that knows which life of a descriptor an event belongs to. The kernel gives the number of a
// closed descriptor to the next socket at once, so a batch can hold events of a connection that an earlier event of
// the same batch has closed, under a number that is another connection's by now. The 64 bits of data that come back with
// each event carry the number (low half) and a generation that its owner chose (high half).

import { Errno } from './errno.ts';
import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';
import { ReadableWatch } from './readiness.ts';
import { close } from './socket.ts';

/**
 * Interests and events. `error` and `hangUp` are reported whether asked for or not. `edgeTriggered` is an interest only:
 * what is ready is reported when it changes, not for as long as it lasts.
 */
export const EpollEvent = {
  readable: 0x1,
  writable: 0x4,
  error: 0x8,
  hangUp: 0x10,
  peerEnded: 0x2000,
  edgeTriggered: 0x8000_0000,
} as const;

/** Events taken from the kernel at once. */
export const MAX_EVENTS = 512;

export class Epoll {
  readonly #fd: number;
  readonly #events: NativeBuffer;
  readonly #words: Uint32Array;
  readonly #request: NativeBuffer;
  readonly #requestWords: Uint32Array;
  #isClosed = false;

  /** Throws when the process has no descriptor left. */
  constructor() {
    this.#fd = outcome(sysEpollCreate(EPOLL_CLOEXEC));
    if (this.#fd < 0) throw new Error(`epoll_create1 failed with errno ${-this.#fd}`);
    this.#events = new NativeBuffer(MAX_EVENTS * EVENT_WORDS * 4);
    this.#words = wordsOf(this.#events);
    this.#request = new NativeBuffer(16);
    this.#requestWords = wordsOf(this.#request);
  }

  /** 0, or a negated errno: -EEXIST when the socket is in the set already. */
  add(fd: number, generation: number, interest: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, generation, interest);
  }

  modify(fd: number, generation: number, interest: number): number {
    return this.#control(EPOLL_CTL_MOD, fd, generation, interest);
  }

  /** Needed only while another descriptor keeps the socket open; closing the last one removes it. */
  remove(fd: number): number {
    return this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /** Waits up to `timeoutMs` (whole; -1 is forever) and returns the number of events, 0 also when a signal came. */
  wait(timeoutMs: number): number {
    const count = sysEpollWait(this.#fd, this.#events.address, MAX_EVENTS, timeoutMs);
    if (count >= 0) return count;
    const result = outcome(count);
    return result === -Errno.EINTR ? 0 : result;
  }

  /**
   * Calls `onEvents` with the count of a `wait` whenever there are any, for a thread that lives by Node's own event loop.
   * Close what it returns before the set.
   */
  watch(onEvents: (count: number) => void): ReadableWatch {
    return new ReadableWatch(this.#fd, () => onEvents(this.wait(0)));
  }

  /** The descriptor of event `index` of the last wait, below the count it returned. */
  descriptor(index: number): number {
    return this.#words[index * EVENT_WORDS + DATA_WORD]!;
  }

  generation(index: number): number {
    return this.#words[index * EVENT_WORDS + DATA_WORD + 1]!;
  }

  events(index: number): number {
    return this.#words[index * EVENT_WORDS]!;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    close(this.#fd);
  }

  #control(operation: number, fd: number, generation: number, interest: number): number {
    this.#requestWords[0] = interest;
    this.#requestWords[DATA_WORD] = fd;
    this.#requestWords[DATA_WORD + 1] = generation;
    return outcome(sysEpollCtl(this.#fd, operation, fd, this.#request.address));
  }
}

function wordsOf(buffer: NativeBuffer): Uint32Array {
  return new Uint32Array(buffer.bytes.buffer, buffer.bytes.byteOffset, buffer.length / 4);
}

// struct epoll_event is packed on x86-64 and aligned everywhere else.
const IS_PACKED = process.arch === 'x64';
const EVENT_WORDS = IS_PACKED ? 3 : 4;
const DATA_WORD = IS_PACKED ? 1 : 2;

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

type FourIntegers = (first: number, second: number, third: number, fourth: number) => number;
const sysEpollCreate = declare('int', 'epoll_create1', ['int']) as (flags: number) => number;
const sysEpollCtl = declare('int', 'epoll_ctl', ['int', 'int', 'int', 'uint64_t']) as FourIntegers;
const sysEpollWait = declare('int', 'epoll_wait', ['int', 'uint64_t', 'int', 'int']) as FourIntegers;
