// Whether this kernel's short-circuit behaves as TCP does, tried on connections of this process before any other gets it.
// Linux mends and breaks these things from release to release, so that no version says what a trial does.

import { delayAcknowledgements, setBlocking, unacknowledgedBytes } from '../../native/blocking-socket.ts';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { waitUntilReadable } from '../../native/readiness.ts';
import { close, readableBytes, receive, send, setSendBuffer } from '../../native/socket.ts';
import { createPipe, splice } from '../../native/splice.ts';
import type { ShortcutHazard } from '../capture/settings.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { closePair, type LoopbackListener, type LoopbackPair } from './loopback-pair.ts';

export interface HazardFinding {
  /** 'order' cannot be accepted: no application is immune to bytes in another order. */
  readonly hazard: ShortcutHazard | 'order';
  /** What the kernel did in the trial. */
  readonly observed: string;
  /** Who suffers from it, and how. */
  readonly breaks: string;
}

export interface SelfTestOptions {
  /** Whose connections are short-circuited. */
  readonly listener: LoopbackListener;
  /** A write of so many bytes goes by TCP. */
  readonly burstLimitBytes: number;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
}

/** Every hazard of this kernel. Takes some 50 ms, and half a second on a kernel where blocking reads do wait. */
export function findHazards(options: SelfTestOptions): readonly HazardFinding[] | LoadFailure {
  const findings: HazardFinding[] = [];
  for (const trial of TRIALS) {
    const finding = tryRepeatedly(trial, options);
    if (isFailure(finding)) return finding;
    if (finding !== undefined) findings.push(finding);
  }
  return findings;
}

/**
 * Once is enough to find a hazard, and not to exclude it. Where this thread does not run for a moment, what it waits for may
 * have come before: such a trial says nothing and is made again, but what never could be tried is not excluded.
 */
function tryRepeatedly(trial: Trial, options: SelfTestOptions): HazardFinding | LoadFailure | undefined {
  let withoutHazard = 0;
  let untried: Untried | undefined;
  for (let tries = 0; withoutHazard < TIMES && tries < MOST_TRIES; tries++) {
    const pair = options.listener.connect();
    if (isFailure(pair)) return pair;
    const outcome = trial(pair, options);
    closePair(pair);
    if (outcome === undefined) withoutHazard++;
    else if ('assumed' in outcome) untried = outcome;
    else return outcome;
  }
  return withoutHazard === TIMES ? undefined : untried?.assumed;
}

type Trial = (pair: LoopbackPair, options: SelfTestOptions) => HazardFinding | Untried | undefined;

/** A trial that did not come about. */
interface Untried {
  readonly assumed: HazardFinding;
}

/** Redirected bytes, and after them some by TCP, while the reader waits: both kinds are queued at once. */
function tryOrder({ active, passive }: LoopbackPair, { burstLimitBytes }: SelfTestOptions): HazardFinding | undefined {
  for (const [writer, reader] of [
    [active, passive],
    [passive, active],
  ] as const) {
    let written = 0;
    // Small ones first: of all that fits into the limit nothing is read before the first write that goes by TCP.
    for (const bytes of [1, 1000, 4000, 3, burstLimitBytes, 1000, 1]) written += sendPattern(writer, written, bytes);
    const read = readPattern(reader, written);
    if (read !== written) {
      return {
        hazard: 'order',
        observed: `of ${written} bytes the first ${read} came in order`,
        breaks: 'every application: bytes are lost or in another order',
      };
    }
  }
  return undefined;
}

function tryFionread(
  { active, passive }: LoopbackPair,
  { burstLimitBytes }: SelfTestOptions,
): HazardFinding | undefined {
  for (const [bytes, way] of [
    [5, 'were short-circuited'],
    [burstLimitBytes, 'came by TCP'],
  ] as const) {
    const written = sendPattern(active, 0, bytes);
    waitUntilReadable(passive, ARRIVAL_TIMEOUT_MS);
    const told = readableBytes(passive);
    readPattern(passive, written);
    // TCP may still be on its way with a part of many bytes; none at all is the fault.
    if (told > 0 && (way === 'came by TCP' || told === written)) continue;
    return {
      hazard: 'fionread',
      observed: `FIONREAD told ${told} while ${written} bytes that ${way} could be read`,
      breaks:
        'programs that ask how much they may read (nginx since 1.17.5, Java NIO, .NET) wait, or cut what they read',
    };
  }
  return undefined;
}

function trySplice({ active, passive }: LoopbackPair): HazardFinding | undefined {
  const pipe = createPipe();
  const written = sendPattern(active, 0, 5);
  const moved = typeof pipe === 'number' ? pipe : splice(passive, pipe.writeFd, written);
  if (typeof pipe !== 'number') for (const fd of [pipe.readFd, pipe.writeFd]) close(fd);
  if (moved === written) return undefined;
  return {
    hazard: 'splice',
    observed: `splice(2) did not see ${written} bytes that could be read (${outcomeText(moved)})`,
    breaks: 'programs that move bytes with splice(2) stall: HAProxy, docker-proxy, io.Copy between connections in Go',
  };
}

/**
 * A reader that waits is woken for a reason of the writer's: room in its own send buffer. The acknowledgement that makes
 * it is late on purpose, so that it comes while the reader waits.
 */
function tryBlockingReceive(
  { active, passive }: LoopbackPair,
  { burstLimitBytes, clock }: SelfTestOptions,
): HazardFinding | Untried | undefined {
  setSendBuffer(active, SMALL_BUFFER_BYTES);
  delayAcknowledgements(passive);
  sendPattern(active, 0, burstLimitBytes);
  const couldSendMore = sendPattern(active, 0, 1) > 0;
  const waiting = unacknowledgedBytes(active);
  setBlocking(active, RECEIVE_TIMEOUT_MS);
  const beganMs = clock();
  const result = receive(active, buffer, 0, 1);
  const waitedMs = clock() - beganMs;
  const wasWoken = !couldSendMore && waiting > 0 && unacknowledgedBytes(active) === 0;
  const hasWaited = result === -Errno.EAGAIN && waitedMs >= RECEIVE_TIMEOUT_MS;
  if (hasWaited && wasWoken) return undefined;
  const finding = (observed: string): HazardFinding => ({ hazard: 'blocking-recv', observed, breaks: BREAKS_READERS });
  if (hasWaited) {
    return { assumed: finding('recv(2) could not be tried: the acknowledgement did not come while it waited') };
  }
  const ended = `ended after ${Math.round(waitedMs)} ms (${outcomeText(result)})`;
  return finding(`recv(2) that may wait ${RECEIVE_TIMEOUT_MS} ms ${ended}`);
}

const BREAKS_READERS =
  'clients that block in recv(2) (Python, Ruby, C) fail with EAGAIN, which they never meet otherwise';

// Order first: when it fails, nothing else matters.
const TRIALS: readonly Trial[] = [tryOrder, tryFionread, trySplice, tryBlockingReceive];

const TIMES = 3;
// A quarter of a second each at most, and only on a machine that does not get to its work.
const MOST_TRIES = 12;
// The kernel's least is some 4.5 KiB: one segment fills it.
const SMALL_BUFFER_BYTES = 2304;
// Acknowledgements wait 40 ms at least and 200 ms at most; on an idle connection it is the least.
const RECEIVE_TIMEOUT_MS = 150;
// Loopback delivers at once, unless the machine is busy.
const ARRIVAL_TIMEOUT_MS = 1000;

const buffer = new NativeBuffer(64 * 1024);

/** Writes bytes `from` to `from + count` of a pattern that never repeats within a buffer; returns how many were taken. */
function sendPattern(fd: number, from: number, count: number): number {
  let taken = 0;
  while (taken < count) {
    const chunk = Math.min(count - taken, buffer.length);
    for (let index = 0; index < chunk; index++) buffer.bytes[index] = patternByte(from + taken + index);
    const result = send(fd, buffer, 0, chunk);
    if (result <= 0) break;
    taken += result;
  }
  return taken;
}

/** Reads `count` bytes; returns how many came before the first that is not the pattern's, or that did not come. */
function readPattern(fd: number, count: number): number {
  let read = 0;
  while (read < count && waitUntilReadable(fd, ARRIVAL_TIMEOUT_MS) > 0) {
    const result = receive(fd, buffer, 0, buffer.length);
    if (result <= 0) return read;
    for (let index = 0; index < result; index++, read++) {
      if (buffer.bytes[index] !== patternByte(read)) return read;
    }
  }
  return read;
}

/** Differs between any two places of a stream that are less than 65,521 bytes apart by no multiple of 251. */
function patternByte(position: number): number {
  return (position % 251) ^ (Math.floor(position / 251) & 0xff);
}

function outcomeText(result: number): string {
  return result >= 0 ? `${result} bytes` : result === -Errno.EAGAIN ? 'EAGAIN' : `errno ${-result}`;
}
