// What a format string can speak of. One object per worker, refilled for each line or header, so that writing a line
// allocates the line only.

import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead, ResponseHead } from '../http/message.ts';
import type { StreamInfo } from '../http/stream-info.ts';

export interface FormatContext {
  info: StreamInfo;
  /** As it was sent upstream: after rewrites. Null for a TCP connection. */
  request: RequestHead | null;
  response: ResponseHead | null;
  responseTrailers: HeaderTable | null;
  localReplyBody: string;
  /** What kind of log is written; absent where the format is none of a log, or of a listener's. */
  readonly logType?: LogType;
}

/** When a line is written, in Envoy's words (`data.accesslog.v3.AccessLogType`). */
export type LogType = 'DownstreamEnd' | 'TcpUpstreamConnected' | 'TcpPeriodic' | 'TcpConnectionEnd';

/**
 * What one command has to say: text as a byte string (each character one byte), a number where Envoy has one, null when
 * there is nothing to say.
 */
export type Operator = (context: FormatContext) => string | number | null;
