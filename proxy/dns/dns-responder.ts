// What becomes of a query: names of the mesh are answered here, everything else is passed on.

import type { Random } from '../../config/random.ts';
import { dnsStats } from '../telemetry/dns-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { addressReply, asksForAddresses } from './address-reply.ts';
import type { DnsForwarder } from './dns-forwarder.ts';
import { type DnsQuery, maxMessageBytes, readQuery, replyCodes, replyHead } from './dns-message.ts';
import type { NameLookup } from './name-lookup.ts';
import type { DnsTransport } from './upstream-exchange.ts';

export interface DnsResponderOptions {
  readonly lookup: NameLookup;
  readonly forwarder: Pick<DnsForwarder, 'ask' | 'takeReturned'>;
  readonly random: Random;
  /** A block of `dnsStats`. */
  readonly stats: StatBlock;
}

export interface Asked {
  readonly message: Buffer;
  readonly transport: DnsTransport;
  /** Of who asks. */
  readonly port: number;
}

export class DnsResponder {
  readonly #options: DnsResponderOptions;

  constructor(options: DnsResponderOptions) {
    this.#options = options;
  }

  /** Calls back once, at once or later; undefined is no answer. */
  answer({ message, transport, port }: Asked, onReply: (reply: Buffer | undefined) => void): void {
    const { stats, forwarder } = this.#options;
    stats.inc(dnsStats.requestsTotal);
    const query = readQuery(message);
    if (query.kind !== 'query') {
      stats.inc(dnsStats.malformedTotal);
      onReply(query.kind === 'none' ? undefined : replyHead(message, noQuestion, query.code));
    } else if (forwarder.takeReturned(transport, port, query.id)) onReply(undefined);
    else this.#answerQuery({ message, transport, port }, query, onReply);
  }

  #answerQuery({ message, transport }: Asked, query: DnsQuery, onReply: (reply: Buffer) => void): void {
    const { lookup, forwarder, random, stats } = this.#options;
    const failure = (): Buffer => replyHead(message, query.question, replyCodes.failure);
    // Somewhere else a name of the mesh may be another's. Who asks comes again.
    if (!lookup.isReady) {
      stats.inc(dnsStats.failedTotal);
      onReply(failure());
      return;
    }
    const found = asksForAddresses(query) ? lookup.find(query.name) : undefined;
    if (found === undefined) {
      const { id, question } = query;
      forwarder.ask({ transport, message, id, question }, (answer) => onReply(answer ?? failure()));
      return;
    }
    stats.inc(dnsStats.answeredTotal);
    const limitBytes = transport === 'udp' ? query.udpSizeBytes : maxMessageBytes;
    onReply(addressReply(message, query, found, { limitBytes, random }));
  }
}

const noQuestion = Buffer.alloc(0);
