// A worker's event loop: waits for events of its descriptors, hands each to its source, fires timers, runs what was put
// off, and starts again. It lives on top of Node's own loop, which it visits every few milliseconds so that messages,
// Node's timers, profiling and termination work too.

import { Epoll, EpollEvent } from '../../native/epoll.ts';
import { describeErrno, Errno } from '../../native/errno.ts';
import { createEventFd, drainEventFd, signalEventFd } from '../../native/event-fd.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close } from '../../native/socket.ts';
import { BufferPool } from './buffer-pool.ts';
import { HandshakeBudget } from './handshake-budget.ts';
import { NodeLoop } from './node-loop.ts';
import type { ShortcutExit } from './shortcut-exit.ts';
import { TimerWheel } from './timer-wheel.ts';
import { TransferPipe } from './transfer-pipe.ts';

/** What is told that its descriptor is ready. */
export interface EventSource {
  /** `events` are bits of `EpollEvent`. */
  onEvents(events: number): void;
}

/** What is done later in the same turn, after all events of the batch. */
export interface Deferred {
  run(): void;
}

export interface ReactorOptions {
  /** Monotonic, in milliseconds, fractions allowed. Read once a turn. */
  readonly clock: () => number;
  /** Called in the turn after `wakeUp` or `signalEventFd(wakeUpFd)`; many signals may be one call. */
  readonly onWakeUp?: () => void;
  /**
   * The longest sleep without visiting Node's loop; 1,000 when left out. A thread that uses Node's own input and output
   * beside the reactor sets a millisecond or so: nothing else ends the sleep for it.
   */
  readonly maxSleepMs?: number;
  /**
   * Turns happen on Node's own loop, which is the only one to sleep: libraries of this thread have sockets there. What
   * they call back is put between `enter` and `leave`.
   */
  readonly onNodeLoop?: boolean;
}

export class Reactor {
  /** The time of this turn. */
  nowMs: number;
  /** Counts turns. What is reported in a turn had happened before anything was done in it. */
  turn = 0;
  /** How many events there have been. */
  eventCount = 0;
  readonly timers: TimerWheel;
  /** Shared by all connections of the worker: what one event reads is used up before the next event. */
  readonly receiveBuffer = new NativeBuffer(RECEIVE_BUFFER_BYTES);
  readonly buffers = new BufferPool();
  /** Null: every byte comes by TCP. */
  shortcut: ShortcutExit | null = null;
  readonly handshakes = new HandshakeBudget();
  /** Makes this reactor's thread wake up when signalled with `signalEventFd`, from any thread. */
  readonly wakeUpFd: number;
  readonly #clock: () => number;
  readonly #onWakeUp: (() => void) | undefined;
  readonly #maxSleepMs: number;
  readonly #nodeLoopIntervalMs: number;
  readonly #onNodeLoop: boolean;
  #nodeLoop: NodeLoop | undefined;
  /** Above 0 in a turn: a library may call back from inside a call of ours. */
  #depth = 0;
  readonly #epoll = new Epoll();
  #transferPipe: TransferPipe | undefined;
  /** By descriptor. A generation is never reused, so that a late event of an earlier owner matches nothing. */
  readonly #sources: (EventSource | undefined)[] = [];
  readonly #generations: number[] = [];
  #lastGeneration = 0;
  readonly #deferred: Deferred[] = [];
  readonly #deferredToNextTurn: Deferred[] = [];
  #nodeLoopVisitedAtMs: number;
  /** Events were handled since the last visit, and may have left something to Node. */
  #owesNodeLoop = false;
  #isNodeLoopDue = false;
  #phase: Phase = 'ready';
  #onStopped: (() => void) | undefined;

  /** Throws when the process has no descriptors left. */
  constructor(options: ReactorOptions) {
    this.#clock = options.clock;
    this.#onWakeUp = options.onWakeUp;
    this.#maxSleepMs = options.maxSleepMs ?? 1000;
    this.#onNodeLoop = options.onNodeLoop ?? false;
    this.#nodeLoopIntervalMs = Math.min(MAX_NODE_LOOP_INTERVAL_MS, this.#maxSleepMs);
    this.nowMs = this.#clock();
    this.#nodeLoopVisitedAtMs = this.nowMs;
    this.timers = new TimerWheel(this.nowMs);
    this.wakeUpFd = createEventFd();
    if (this.wakeUpFd < 0) throw new Error(`no wake-up descriptor: ${describeErrno(-this.wakeUpFd)}`);
    const registered = this.register(this.wakeUpFd, EpollEvent.readable, { onEvents: () => this.#onWakeUpEvent() });
    if (registered < 0) throw new Error(`no wake-up event: ${describeErrno(-registered)}`);
  }

  /** Begins to report events of `fd`, level-triggered. Returns 0 or a negated errno. */
  register(fd: number, interest: number, source: EventSource): number {
    this.#lastGeneration = (this.#lastGeneration + 1) >>> 0;
    const result = this.#epoll.add(fd, this.#lastGeneration, interest);
    if (result < 0) return result;
    this.#sources[fd] = source;
    this.#generations[fd] = this.#lastGeneration;
    return 0;
  }

  modify(fd: number, interest: number): number {
    return this.#epoll.modify(fd, this.#generations[fd]!, interest);
  }

  /** No event of `fd` is reported any more, not even one of the batch at hand. */
  unregister(fd: number): void {
    this.forget(fd);
    this.#epoll.remove(fd);
  }

  /** As `unregister`, for a descriptor that is closed next: closing it saves the system call. */
  forget(fd: number): void {
    this.#sources[fd] = undefined;
  }

  /** Runs `task` once, after the events of this batch and the timers. */
  defer(task: Deferred): void {
    this.#deferred.push(task);
  }

  /** Runs `task` once in the next turn, which begins at once: after that turn's events, so that nobody is kept waiting. */
  deferToNextTurn(task: Deferred): void {
    this.#deferredToNextTurn.push(task);
  }

  /** Makes a turn happen soon, and `onWakeUp` in it. */
  wakeUp(): void {
    if (this.#phase !== 'stopped') signalEventFd(this.wakeUpFd);
  }

  /** Runs turns until `stop`. A failure of the event loop itself (no bad descriptor causes one) is thrown in Node's loop. */
  start(onStopped: () => void): void {
    if (this.#phase !== 'ready') throw new Error(`a ${this.#phase} reactor cannot be started`);
    this.#onStopped = onStopped;
    this.#phase = 'running';
    if (!this.#onNodeLoop) {
      setImmediate(this.#runTurns);
      return;
    }
    this.#nodeLoop = new NodeLoop(this.#epoll, this.#nodeTurn);
    this.#nodeLoop.plan(this.nowMs, 0);
  }

  /**
   * Begins what a library's callback does with streams, timers and deferred tasks: a turn of its own, unless it is called
   * from inside of one. Only `onNodeLoop`.
   */
  enter(): void {
    if (this.#depth++ === 0) this.#begin();
  }

  /** Ends what `enter` began: deferred tasks run now, and timers that were set will be met. */
  leave(): void {
    if (this.#depth === 1) this.#end();
    this.#depth--;
  }

  /** Ends after this turn: descriptors of the reactor itself are closed, then `onStopped` is called. */
  stop(): void {
    if (this.#phase === 'ready') this.#release();
    if (this.#phase !== 'running') return;
    this.#phase = 'stopping';
    this.wakeUp();
  }

  /**
   * Shared like `receiveBuffer`; made for the first stream that carries bulk. Undefined: no descriptors left.
   */
  transferPipe(): TransferPipe | undefined {
    this.#transferPipe ??= TransferPipe.open();
    return this.#transferPipe;
  }

  /**
   * Before the first connection: from now on bytes may come past TCP. splice(2) does not see them, so streams are copied
   * until they have left the short-circuit.
   */
  useShortcut(exit: ShortcutExit): void {
    this.shortcut = exit;
  }

  readonly #runTurns = (): void => {
    this.#nodeLoopVisitedAtMs = this.nowMs;
    this.#owesNodeLoop = false;
    while (this.#phase === 'running') {
      this.#turn();
      // A visit costs 2 us (measured), so one in 5 ms is free and one a turn would not be.
      if (this.nowMs - this.#nodeLoopVisitedAtMs < this.#nodeLoopIntervalMs && !this.#isNodeLoopDue) continue;
      this.#isNodeLoopDue = false;
      setImmediate(this.#runTurns);
      return;
    }
    this.#release();
    this.#onStopped?.();
  };

  readonly #nodeTurn = (count: number): void => {
    this.#depth++;
    this.#handle(count);
    this.#end();
    this.#depth--;
    if (this.#phase === 'running') return;
    this.#release();
    this.#onStopped?.();
  };

  /** Ends a turn on Node's loop. */
  #end(): void {
    this.#runDeferred();
    const isPutOff = this.#deferred.length > 0 || this.#deferredToNextTurn.length > 0;
    this.#nodeLoop?.plan(this.nowMs, isPutOff ? 0 : this.timers.nextDelayMs(this.nowMs));
  }

  #release(): void {
    this.#phase = 'stopped';
    this.#nodeLoop?.close();
    this.#epoll.close();
    close(this.wakeUpFd);
    this.#transferPipe?.close();
  }

  #turn(): void {
    this.#handle(this.#epoll.wait(this.#sleepMs()));
    this.#runDeferred();
  }

  #begin(): void {
    this.turn++;
    this.nowMs = this.#clock();
    this.timers.observe(this.nowMs);
  }

  /** What `Epoll.wait` returned, then timers. */
  #handle(count: number): void {
    if (count < 0) throw new Error(`epoll_wait failed: ${describeErrno(-count)}`);
    this.#begin();
    if (this.#deferredToNextTurn.length > 0) this.#takeDeferred();
    for (let index = 0; index < count; index++) {
      const fd = this.#epoll.descriptor(index);
      const source = this.#sources[fd];
      if (source === undefined || this.#generations[fd] !== this.#epoll.generation(index)) continue;
      source.onEvents(this.#epoll.events(index));
    }
    this.timers.advance(this.nowMs);
    if (count === 0) return;
    this.#owesNodeLoop = true;
    this.eventCount += count;
  }

  #sleepMs(): number {
    if (this.#deferred.length > 0 || this.#deferredToNextTurn.length > 0) return 0;
    // What a turn started in Node (a promise, a message) must not wait for a full sleep.
    const longest = this.#owesNodeLoop ? this.#nodeLoopIntervalMs : this.#maxSleepMs;
    return Math.ceil(Math.min(longest, this.timers.nextDelayMs(this.nowMs)));
  }

  #takeDeferred(): void {
    const tasks = this.#deferredToNextTurn;
    for (let index = 0; index < tasks.length; index++) this.#deferred.push(tasks[index]!);
    tasks.length = 0;
  }

  /** Tasks may put off more tasks; beyond the bound they wait for the next turn, so that events are not starved. */
  #runDeferred(): void {
    const tasks = this.#deferred;
    if (tasks.length === 0) return;
    let index = 0;
    while (index < tasks.length && index < MAX_DEFERRED_PER_TURN) tasks[index++]!.run();
    if (index === tasks.length) tasks.length = 0;
    else tasks.splice(0, index);
  }

  #onWakeUpEvent(): void {
    const result = drainEventFd(this.wakeUpFd);
    if (result < 0 && result !== -Errno.EAGAIN) throw new Error(`wake-up failed: ${describeErrno(-result)}`);
    this.#isNodeLoopDue = true;
    this.#onWakeUp?.();
  }
}

type Phase = 'ready' | 'running' | 'stopping' | 'stopped';

/** Copied in pieces of this size, bulk costs 0.6 of what it does in pieces of 64 KiB (measured). */
const RECEIVE_BUFFER_BYTES = 256 * 1024;
const MAX_NODE_LOOP_INTERVAL_MS = 5;
const MAX_DEFERRED_PER_TURN = 4096;
