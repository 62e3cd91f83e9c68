// What is written down of a connection to an endpoint, whatever speaks on it: by its pool, for its requests and their logs.

import type { ByteStream } from '../reactor/byte-stream.ts';

export class ConnectionNotes {
  /** By which logs tell it from others of the process. */
  connectionNumber = 0;
  connectStartedAtMs = 0;
  /** Our end, `ip:port`; empty until the connection is established. */
  localAddressText = '';
  /** On the reactor's clock; when the last exchange ended. 0 until the connection is established. */
  idleSinceMs = 0;
  /** In which turn of the reactor. */
  idleSinceTurn = -1;
  /** How long it had been idle when the open exchange began; -1 on a fresh connection. */
  idleBeforeMs = -1;
  /** Bytes of the stream that are in the cluster's counters: those of the exchanges before the open one. */
  countedReceivedBytes = 0;
  countedSentBytes = 0;
}

/** What notes are made of. Sums over the life of the connection. */
export type CountedStream = Pick<ByteStream, 'bytesReceived' | 'bytesSent' | 'localAddress'>;
