// A reactor on the test's own thread, and a handler that writes down what happens to its stream.

import { readdirSync } from 'node:fs';
import type { Test } from 'tap';
import type { Address } from '../../config/address.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { adoptDescriptor } from '../../proxy/reactor/accepted-socket.ts';
import type { ByteStream, ByteStreamHandler, CloseReason } from '../../proxy/reactor/byte-stream.ts';
import { type ConnectOptions, connectTo } from '../../proxy/reactor/client-socket.ts';
import { ListeningSocket } from '../../proxy/reactor/listening-socket.ts';
import { Reactor, type ReactorOptions } from '../../proxy/reactor/reactor.ts';
import { Timer } from '../../proxy/reactor/timer-wheel.ts';
import { threadNowMs } from './thread-time.ts';

export const LOOPBACK: Address = { kind: 'ip', ip: '127.0.0.1', port: 0 };

/** A running reactor that visits Node's loop often, and is stopped at the end of the test. */
export function startReactor(t: Test, options: Partial<ReactorOptions> = {}): Reactor {
  const { maxSleepMs = 1 } = options;
  // One that sleeps for longer reads the time too seldom.
  const clock = maxSleepMs > 1 ? () => performance.now() : threadNowMs;
  const reactor = new Reactor({ clock, maxSleepMs, ...options });
  const { promise, resolve } = Promise.withResolvers<void>();
  reactor.start(resolve);
  t.teardown(() => {
    reactor.stop();
    return promise;
  });
  return reactor;
}

/** Records the callbacks of one stream. What it does with data is up to the test. */
export class RecordingHandler implements ByteStreamHandler {
  stream!: ByteStream;
  /** `connected`, `data 5`, `end`, `drained`, `closed local`, `closed error 104`, `closed tls: why`. */
  readonly events: string[] = [];
  text = '';
  /** How many of the offered bytes are consumed; all when undefined. */
  consume: ((text: string) => number) | undefined;
  onEvent: ((event: string) => void) | undefined;
  readonly #waiting: { readonly event: string; readonly resolve: () => void }[] = [];

  onConnected(): void {
    this.#record('connected');
  }

  onData(buffer: NativeBuffer, start: number, end: number): number {
    const text = buffer.bytes.latin1Slice(start, end);
    const consumed = this.consume?.(text) ?? text.length;
    this.text += text.slice(0, consumed);
    this.#record(`data ${text.length}`);
    return consumed;
  }

  onEnd(): void {
    this.#record('end');
  }

  onDrained(): void {
    this.#record('drained');
  }

  onClosed(reason: CloseReason): void {
    this.#record(`closed ${describeReason(reason)}`);
  }

  /** Resolves when an event that begins so has happened since the stream began. */
  saw(event: string): Promise<void> {
    if (this.events.some((past) => past.startsWith(event))) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ event, resolve });
    return promise;
  }

  /** Resolves when `length` bytes were consumed in all. */
  async received(length: number): Promise<string> {
    while (this.text.length < length) await this.next('data');
    return this.text;
  }

  /** Resolves at the next event that begins so. */
  next(event: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ event, resolve });
    return promise;
  }

  write(text: string): void {
    const buffer = new NativeBuffer(Math.max(1, text.length));
    buffer.bytes.latin1Write(text);
    this.stream.write(buffer, 0, text.length);
  }

  #record(event: string): void {
    this.events.push(event);
    this.onEvent?.(event);
    for (let index = this.#waiting.length - 1; index >= 0; index--) {
      if (event.startsWith(this.#waiting[index]!.event)) this.#waiting.splice(index, 1)[0]!.resolve();
    }
  }
}

function describeReason(reason: CloseReason): string {
  if (reason.kind === 'error') return `error ${reason.errno}`;
  return reason.kind === 'tls' ? `tls: ${reason.problem}` : reason.kind;
}

/** A listening socket whose accepted connections get a `RecordingHandler` each. */
export interface Acceptor {
  readonly socket: ListeningSocket;
  readonly address: Address;
  next(): Promise<RecordingHandler>;
}

export function listenOn(t: Test, reactor: Reactor, address: Address = LOOPBACK): Acceptor {
  const accepted: RecordingHandler[] = [];
  const waiting: ((handler: RecordingHandler) => void)[] = [];
  const socket = ListeningSocket.open(
    reactor,
    address,
    {},
    {
      onAccept(fd) {
        const handler = new RecordingHandler();
        handler.stream = adoptDescriptor(reactor, fd, handler);
        const resolve = waiting.shift();
        if (resolve === undefined) accepted.push(handler);
        else resolve(handler);
      },
      onAccepted() {},
      onAcceptError(errno) {
        t.fail(`accepting failed with errno ${errno}`);
      },
    },
  );
  if (typeof socket === 'number') throw new Error(`listening failed with errno ${-socket}`);
  t.teardown(() => socket.close());
  return {
    socket,
    address: socket.localAddress()!,
    next: () => {
      const { promise, resolve } = Promise.withResolvers<RecordingHandler>();
      const first = accepted.shift();
      if (first === undefined) waiting.push(resolve);
      else resolve(first);
      return promise;
    },
  };
}

export function connect(reactor: Reactor, address: Address, options: Partial<ConnectOptions> = {}): RecordingHandler {
  const handler = new RecordingHandler();
  handler.stream = connectTo(reactor, { address, connectTimeoutMs: 5000, ...options }, handler);
  return handler;
}

/** A connected pair: ours connecting, ours accepted. */
export async function connectedStreams(
  t: Test,
  reactor: Reactor,
  address: Address = LOOPBACK,
): Promise<[RecordingHandler, RecordingHandler]> {
  const acceptor = listenOn(t, reactor, address);
  const client = connect(reactor, acceptor.address);
  const [accepted] = await Promise.all([acceptor.next(), client.saw('connected')]);
  t.teardown(() => {
    client.stream.close();
    accepted.stream.close();
  });
  return [client, accepted];
}

/** Resolves after at least two more turns: whatever is ready in the kernel now has been reported. */
export async function turns(reactor: Reactor, count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    reactor.timers.schedule(new Timer(resolve), 1);
    await promise;
  }
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
