// What undici and the streams under it report, in the words of the data plane.

import type { ConnectionNotes } from '../../cluster/connection-notes.ts';
import { invalidResponseFailure, terminationFailure, type UpstreamFailure } from '../../cluster/upstream-failure.ts';
import type { CloseReason } from '../../reactor/byte-stream.ts';

/** Errors of the kernel's making carry `errno`, negative; those of undici a `code`. */
export interface LibraryError extends Error {
  readonly errno?: number | undefined;
  readonly code?: string | undefined;
}

/** Why a connection is gone of which a socket has reported `error`. */
export function closeReason({ errno, code, message }: LibraryError): CloseReason {
  if (errno !== undefined && errno < 0) return { kind: 'error', errno: -errno };
  return endedByPeer.has(code ?? '') && !badResponses.has(message) ? { kind: 'remote' } : { kind: 'local' };
}

/** What is known of the connection beside the error. */
export interface FailedConnection {
  /** The endpoint has sent FIN. */
  readonly hasPeerEnded: boolean;
  readonly notes: Pick<ConnectionNotes, 'idleBeforeMs'>;
}

/** Why an exchange is over before its response was complete. */
export function exchangeFailure(error: LibraryError, connection: FailedConnection): UpstreamFailure {
  const { code = '', message, name } = error;
  if (refusedRequests.has(code)) {
    return { kind: 'protocol-error', reason: `undici does not carry this request: ${message}` };
  }
  // Of a response with a length every error is called so, also that its body is cut.
  const isMalformed = name === 'HTTPParserError' || (code === lengthMismatch && !connection.hasPeerEnded);
  if (isMalformed || code === 'UND_ERR_HEADERS_OVERFLOW' || badResponses.has(message)) {
    return invalidResponseFailure(message);
  }
  return terminationFailure(closeReason(error), connection.notes.idleBeforeMs);
}

const lengthMismatch = 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';

/** `other side closed`, and a body that ends before its length. */
const endedByPeer: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', lengthMismatch]);

const refusedRequests: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

/** Of errors that share their code with a lost connection: an interim 100, a 101 that was not asked for. */
const badResponses: ReadonlySet<string> = new Set(['bad response', 'bad upgrade']);
