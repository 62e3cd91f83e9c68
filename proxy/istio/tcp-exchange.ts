// Istio's exchange of metadata over TCP: where TLS has agreed on the protocol that stands for it, each side tells of itself
// before its first byte. We tell as soon as the connection stands: a peer that waits for us to speak would not be told
// otherwise, nor tell.
//
// The peer's is taken out by whoever stands between a stream and its handler until the first bytes are known, and then is
// gone. Nobody waits for it but bytes of the same direction: what the other end says, first or not, goes on as ever.

import type { TcpMetadataExchange } from '../../config/istio-filter.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ByteStream, ByteStreamHandler, CloseReason } from '../reactor/byte-stream.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { Timer } from '../reactor/timer-wheel.ts';
import { metadataExchangeStats } from '../telemetry/metadata-exchange-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { readPreamble, writePreamble } from './peer-preamble.ts';
import type { Workload, WorkloadNode } from './workload.ts';

export interface TcpExchangeOptions {
  readonly reactor: Reactor;
  readonly config: TcpMetadataExchange;
  readonly node: WorkloadNode;
  readonly stats: StatBlock;
}

/** Whose bytes stand behind metadata. */
export interface ExchangingHandler extends ByteStreamHandler {
  /** Once: who the peer is; null when it has not told. */
  onPeer(peer: Workload | null): void;
  /** What the peer has sent is no whole preamble, nor anything else: the connection is of no use. A sentence. */
  onExchangeFailed(reason: string): void;
}

/** One a configuration and worker. */
export class TcpExchange {
  readonly reactor: Reactor;
  readonly additionalLabels: readonly string[];
  readonly stats: StatBlock;
  readonly #protocol: string;
  readonly #preamble: NativeBuffer;

  constructor({ reactor, config, node, stats }: TcpExchangeOptions) {
    this.reactor = reactor;
    this.#protocol = config.protocol;
    this.additionalLabels = config.additionalLabels;
    this.stats = stats;
    this.#preamble = writePreamble(node, config.additionalLabels);
  }

  /** Of a stream that stands, whose handler this is; `alpn` is what was agreed on. False: nobody tells anything. */
  begin(stream: ByteStream, handler: ExchangingHandler, alpn: string): boolean {
    const isAgreed = alpn === this.#protocol;
    this.stats.inc(isAgreed ? metadataExchangeStats.alpnProtocolFound : metadataExchangeStats.alpnProtocolNotFound);
    if (!isAgreed) return false;
    stream.write(this.#preamble, 0, this.#preamble.length);
    this.stats.inc(metadataExchangeStats.metadataAdded);
    stream.handler = new PreambleReader(this, stream, handler);
    return true;
  }
}

const State = {
  /** Nothing is known of the peer's first bytes, or not enough. */
  reading: 0,
  /** They are the handler's; those that the stream kept are on their way to it. */
  passing: 1,
  /** As `passing`, and the peer's end comes after them. */
  ending: 2,
} as const;

class PreambleReader implements ByteStreamHandler {
  readonly #exchange: TcpExchange;
  readonly #stream: ByteStream;
  readonly #handler: ExchangingHandler;
  #state: (typeof State)[keyof typeof State] = State.reading;
  #hasLength = false;
  #timer: Timer | undefined;

  constructor(exchange: TcpExchange, stream: ByteStream, handler: ExchangingHandler) {
    this.#exchange = exchange;
    this.#stream = stream;
    this.#handler = handler;
  }

  onData(buffer: NativeBuffer, start: number, end: number): number {
    if (this.#state !== State.reading) return this.#pass(buffer, start, end);
    const found = readPreamble(buffer.bytes.subarray(start, end), this.#exchange.additionalLabels);
    switch (found.kind) {
      case 'partial':
        this.#hasLength = found.hasLength;
        this.#startTimer();
        return 0;
      case 'too-long':
        this.#exchange.stats.inc(metadataExchangeStats.headerNotFound);
        this.#fail(`the peer announces ${found.lengthBytes} bytes of metadata`);
        return end - start;
      case 'absent':
        this.#passOn();
        return this.#pass(buffer, start, end);
      default:
        this.#settle(found.peer);
        if (found.peer === null) this.#exchange.stats.inc(metadataExchangeStats.headerNotFound);
        this.#state = State.passing;
        return found.lengthBytes + this.#pass(buffer, start + found.lengthBytes, end);
    }
  }

  /** A handler that takes all of it is alone with the stream from then on. */
  #pass(buffer: NativeBuffer, start: number, end: number): number {
    if (this.#state === State.passing) this.#stream.handler = this.#handler;
    if (start === end) return 0;
    const consumed = this.#handler.onData(buffer, start, end);
    if (this.#state === State.ending && consumed === end - start) {
      this.#stream.handler = this.#handler;
      this.#handler.onEnd();
    }
    return consumed;
  }

  #passOn(): void {
    this.#exchange.stats.inc(metadataExchangeStats.initialHeaderNotFound);
    this.#settle(null);
    this.#state = State.passing;
  }

  /** Envoy waits for as long as the connection lasts. */
  #startTimer(): void {
    if (this.#timer !== undefined) return;
    this.#timer = new Timer(() => this.#onTimeout());
    this.#exchange.reactor.timers.schedule(this.#timer, EXCHANGE_TIMEOUT_MS);
  }

  #onTimeout(): void {
    if (this.#hasLength) {
      this.#exchange.stats.inc(metadataExchangeStats.headerNotFound);
      this.#fail('the metadata of the peer did not come in time');
      return;
    }
    this.#passOn();
    this.#stream.resumeReading();
  }

  /** A few bytes that a preamble might have begun with are the handler's. */
  onEnd(): void {
    if (this.#state !== State.reading) return;
    if (this.#hasLength) {
      this.#exchange.stats.inc(metadataExchangeStats.headerNotFound);
      this.#fail('the peer ended within its metadata');
    } else if (this.#timer === undefined) {
      this.#settle(null);
      this.#stream.handler = this.#handler;
      this.#handler.onEnd();
    } else {
      this.#passOn();
      this.#state = State.ending;
      this.#stream.resumeReading();
    }
  }

  #fail(reason: string): void {
    this.#settle(null);
    this.#stream.handler = this.#handler;
    this.#handler.onExchangeFailed(reason);
  }

  #settle(peer: Workload | null): void {
    this.#stopTimer();
    this.#handler.onPeer(peer);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#exchange.reactor.timers.cancel(this.#timer);
  }

  onConnected(): void {
    this.#handler.onConnected();
  }

  onDrained(): void {
    this.#handler.onDrained();
  }

  onClosed(reason: CloseReason): void {
    this.#stopTimer();
    this.#handler.onClosed(reason);
  }
}

/** A preamble is one write of its sender, some hundred bytes: who needs longer has stopped, or speaks something else. */
const EXCHANGE_TIMEOUT_MS = 5_000;
