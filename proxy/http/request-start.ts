// What is known of a request when its head has arrived, and the times that run from then on.

import { httpStats } from '../telemetry/http-stats.ts';
import { HttpVersion, hasBody } from './message.ts';
import { StreamDeadline } from './response-sender.ts';
import type { Stream } from './stream.ts';
import { noteDownstream } from './stream-notes.ts';

export function beginRequest({ manager, info, facts, head, sender }: Stream, headerBytes: number): void {
  const { context, config, stats } = manager;
  info.startedAtMs = context.reactor.nowMs;
  info.requestHeadAtMs = info.startedAtMs;
  info.startWallMs = context.wallOffsetMs + info.startedAtMs;
  info.protocol = head.version === HttpVersion.http11 ? 'HTTP/1.1' : 'HTTP/1.0';
  info.requestHeaderBytes = headerBytes;
  noteDownstream(info, facts);
  stats.inc(httpStats.downstreamRqTotal);
  stats.inc(httpStats.downstreamRqHttp1Total);
  stats.inc(httpStats.downstreamRqActive);
  const { deadlines } = sender;
  deadlines.set(StreamDeadline.streamIdle, config.streamIdleTimeoutMs);
  if (hasBody(head)) deadlines.set(StreamDeadline.request, config.requestTimeoutMs);
  deadlines.set(StreamDeadline.maxDuration, config.maxStreamDurationMs);
}
