// Whether a request is traced. No spans are made here, but the choice is, as in Envoy, which writes it into the request id:
// hops behind us follow it. It is the 15th character of a UUID, 4 where nothing was chosen.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-request-id

import type { TraceSampling } from '../../config/tracing.ts';
import { HeaderId } from './header-name.ts';
import type { Stream } from './stream.ts';

/** The character of a choice in a request id. */
const TraceReason = { none: '4', sampled: '9', forced: 'a', client: 'b' } as const;
type TraceReason = (typeof TraceReason)[keyof typeof TraceReason];

const idLength = 36;
const reasonAt = 14;

/** Chooses for a request whose id is known, and marks the id. */
export function applyTraceChoice(stream: Stream, sampling: TraceSampling): void {
  const { head, info } = stream;
  const reason = chooseReason(stream, sampling);
  info.isTraced = reason === TraceReason.forced;
  if (!sampling.marksIds) return;
  const marked = markedId(info.requestId, reason);
  if (marked === info.requestId) return;
  info.requestId = marked;
  head.headers.replaceValue(head.headers.findId(HeaderId.xRequestId), marked);
}

// An id that brings a choice keeps it. Otherwise its first digits decide, so that all hops decide alike.
function chooseReason({ head, info, random }: Stream, sampling: TraceSampling): TraceReason {
  const number = leadingNumber(info.requestId);
  if (number < 0) return TraceReason.none;
  const share = number % 10_000;
  let reason = reasonOf(info.requestId);
  if (reason === TraceReason.none) {
    const { headers } = head;
    if (headers.findId(HeaderId.xClientTraceId) >= 0 && random() * 100 < sampling.clientPercent) {
      reason = TraceReason.client;
    } else if (headers.findId(HeaderId.xEnvoyForceTrace) >= 0) reason = TraceReason.forced;
    else if (share < sampling.randomPerTenThousand) reason = TraceReason.sampled;
  }
  return share < sampling.overallPerTenThousand ? reason : TraceReason.none;
}

/** One that is no UUID stays as it is. */
function markedId(id: string, reason: TraceReason): string {
  if (id.length !== idLength || reasonOf(id) === reason) return id;
  return id.slice(0, reasonAt) + reason + id.slice(reasonAt + 1);
}

function reasonOf(id: string): TraceReason {
  if (id.length !== idLength) return TraceReason.none;
  const mark = id[reasonAt];
  if (mark === TraceReason.sampled || mark === TraceReason.forced || mark === TraceReason.client) return mark;
  return TraceReason.none;
}

/** The first eight characters as a hexadecimal number; -1 when they are none. */
function leadingNumber(id: string): number {
  if (id.length < 8) return -1;
  let value = 0;
  for (let at = 0; at < 8; at++) {
    const digit = hexDigit(id.charCodeAt(at));
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
