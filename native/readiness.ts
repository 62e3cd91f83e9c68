// Waiting for descriptors outside of an event loop of ours: on Node's own loop, which takes any descriptor that epoll does
// (uv_poll_t, by way of koffi), sockets that Node has no class for and whole epoll sets among them; or by blocking.

import koffi from 'koffi';
import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

/** On Node's own loop. Close it before the descriptor: libuv would wait for whatever has the number next. */
export class ReadableWatch {
  readonly #handle: PollHandle;
  #turn: NodeJS.Immediate | undefined;

  /**
   * Calls `onReadable`, in a turn of its own, whenever `fd` is readable or at its end, again and again as long as it is. Keeps
   * the process alive. Throws for what cannot be waited for, such as a plain file.
   */
  constructor(fd: number, onReadable: () => void) {
    // Asked first: where libuv refuses, koffi ends the process.
    const problem = epollProblem(fd);
    if (problem < 0) throw new Error(`descriptor ${fd} cannot be waited for (errno ${-problem})`);
    // libuv calls outside of any turn of Node's: what throws there is lost, and promises are not settled after it.
    this.#handle = koffi.node.poll(fd, { readable: true, disconnect: true }, () => {
      this.#turn ??= setImmediate(() => {
        this.#turn = undefined;
        onReadable();
      });
    });
    if (open.size === 0) process.once('exit', closeAll);
    open.add(this.#handle);
  }

  close(): void {
    // A closed handle must not be touched again: koffi would follow a null pointer.
    if (!open.delete(this.#handle)) return;
    if (open.size === 0) process.off('exit', closeAll);
    clearImmediate(this.#turn);
    this.#handle.close();
  }
}

type PollHandle = ReturnType<typeof koffi.node.poll>;

/** Handles that are collected stop without a word. */
const open = new Set<PollHandle>();

/** A thread that ends by a fault leaves its watches open, and Node ends the process when a thread's loop has handles. */
function closeAll(): void {
  for (const handle of open) handle.close();
  open.clear();
}

/** Blocks this thread until `fd` is readable or at its end: 1. 0 when that took too long, or a negated errno. */
export function waitUntilReadable(fd: number, timeoutMs: number): number {
  pollScratch.bytes.writeInt32LE(fd, 0);
  pollScratch.bytes.writeInt32LE(POLLIN, 4);
  return outcome(sysPoll(pollScratch.address, 1, timeoutMs));
}

function epollProblem(fd: number): number {
  if (trial < 0) trial = outcome(sysEpollCreate(EPOLL_CLOEXEC));
  if (trial < 0) return trial;
  const result = outcome(sysEpollCtl(trial, EPOLL_CTL_ADD, fd, epollEvent.address));
  return result < 0 ? result : outcome(sysEpollCtl(trial, EPOLL_CTL_DEL, fd, epollEvent.address));
}

/** An epoll set in which nothing stays; negative while there is none. */
let trial = -1;
const epollEvent = new NativeBuffer(16);
epollEvent.bytes.fill(0);

/** struct pollfd: descriptor, events, what happened. */
const pollScratch = new NativeBuffer(8);

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const POLLIN = 1;

const sysPoll = declare('int', 'poll', ['uint64_t', 'uint64_t', 'int']) as (
  address: number,
  count: number,
  timeoutMs: number,
) => number;
const sysEpollCreate = declare('int', 'epoll_create1', ['int']) as (flags: number) => number;
const sysEpollCtl = declare('int', 'epoll_ctl', ['int', 'int', 'int', 'uint64_t']) as (
  set: number,
  operation: number,
  fd: number,
  event: number,
) => number;
