// What the connector of a worker and all its connections share.

import type { Client } from 'undici';
import type { NativeBuffer } from '../../../native/native-buffer.ts';
import type { UpstreamConnector } from '../../cluster/pooled-connection.ts';
import type { OutputBuffer } from '../../http/http1/output-buffer.ts';
import type { Reactor } from '../../reactor/reactor.ts';
import type { LibraryTurn } from './library-turn.ts';

export interface UndiciContext {
  readonly reactor: Reactor;
  readonly output: OutputBuffer;
  readonly turn: LibraryTurn;
  readonly Client: typeof Client;
  /** Where pieces of bodies pass through on their way to the request. */
  readonly passage: NativeBuffer;
  /** Carries what undici cannot. */
  readonly own: UpstreamConnector;
}
