// Passes queries on to the servers of resolv.conf, one after the other and from a random one on, over the transport that the
// query came by: a cut answer is passed on, too, and the asker comes again over TCP. As in Istio's agent.
//
// A query of our own may come back to us. The rules that lead port 53 to us spare our user, but connection tracking remembers
// for half a minute from which port an application asked, and takes what we send from that port for the same flow. So what
// left from a port of ours and arrives here is sent again from another, a few times: where the rules do not spare us at
// all, that would never end.

import type { IpAddress } from '../../config/address.ts';
import type { Random } from '../../config/random.ts';
import { dnsStats } from '../telemetry/dns-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { answersQuery } from './dns-message.ts';
import { type DnsTransport, exchange } from './upstream-exchange.ts';

export interface DnsForwarderOptions {
  readonly upstreams: readonly IpAddress[];
  readonly random: Random;
  /** A number of 16 bits that nobody can foresee. */
  readonly newId: () => number;
  readonly nowMs: () => number;
  /** Calls back once after a delay, unless what it returns is called before. */
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  /** A block of `dnsStats`. */
  readonly stats: StatBlock;
}

export interface ForwardedQuery {
  readonly transport: DnsTransport;
  readonly message: Buffer;
  /** Of the message. */
  readonly id: number;
  readonly question: Buffer;
}

export class DnsForwarder {
  readonly #options: DnsForwarderOptions;
  readonly #attempts = new Map<string, Attempt>();
  #running = 0;

  constructor(options: DnsForwarderOptions) {
    this.#options = options;
  }

  /** Calls back once: with the answer, as if it came from us; undefined where nobody answered. */
  ask(query: ForwardedQuery, onAnswer: (answer: Buffer | undefined) => void): void {
    const { upstreams, random, stats, nowMs } = this.#options;
    stats.inc(dnsStats.forwardedTotal);
    if (this.#running === maxRunning) {
      stats.inc(dnsStats.failedTotal);
      onAnswer(undefined);
      return;
    }
    this.#running++;
    const startMs = nowMs();
    const first = Math.floor(random() * upstreams.length);
    const inTurn = [...upstreams.slice(first), ...upstreams.slice(0, first)];
    this.#askNext(query, inTurn, (answer) => {
      this.#running--;
      if (answer === undefined) stats.inc(dnsStats.failedTotal);
      else stats.record(dnsStats.upstreamMs, nowMs() - startMs);
      onAnswer(answer);
    });
  }

  /** Whether what arrives from this port of the pod is a query of our own; it is looked after then. */
  takeReturned(transport: DnsTransport, port: number, id: number): boolean {
    const attempt = this.#attempts.get(keyOf(transport, port));
    if (attempt === undefined || attempt.id !== id) return false;
    this.#options.stats.inc(dnsStats.returnedTotal);
    attempt.onReturned();
    return true;
  }

  #askNext(query: ForwardedQuery, upstreams: readonly IpAddress[], onEnd: Answered, returns = 0): void {
    const [upstream, ...others] = upstreams;
    if (upstream === undefined) {
      onEnd(undefined);
      return;
    }
    const { newId, schedule } = this.#options;
    const { transport, question } = query;
    const id = newId();
    let key = '';
    const finish = (): void => {
      cancelTimeout();
      giveUp();
      this.#attempts.delete(key);
    };
    const askOthers = (): void => {
      finish();
      this.#askNext(query, others, onEnd);
    };
    const onReturned = (): void => {
      finish();
      if (returns < maxReturns) this.#askNext(query, upstreams, onEnd, returns + 1);
      else onEnd(undefined);
    };
    const cancelTimeout = schedule(TIMEOUT_MS, askOthers);
    const giveUp = exchange({
      transport,
      upstream,
      message: withId(query.message, id),
      isAnswer: (message) => answersQuery(message, id, question),
      onPort: (port) => {
        key = keyOf(transport, port);
        this.#attempts.set(key, { id, onReturned });
      },
      onEnd: (answer) => {
        if (answer === undefined) {
          askOthers();
          return;
        }
        finish();
        onEnd(withId(answer, query.id));
      },
    });
  }
}

type Answered = (answer: Buffer | undefined) => void;

interface Attempt {
  readonly id: number;
  readonly onReturned: () => void;
}

/** Each has a socket. */
const maxRunning = 512;
const maxReturns = 3;
/** For one server, as in Istio's agent and in the C library. */
const TIMEOUT_MS = 5000;

function keyOf(transport: DnsTransport, port: number): string {
  return `${transport} ${port}`;
}

function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}
