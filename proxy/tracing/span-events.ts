// When a request reached each stage, as events of its span (`verbose`), under Envoy's names.

import type { StreamInfo } from '../http/stream-info.ts';
import { EventField, SpanField } from './span-field.ts';
import type { SpanWriter } from './span-writer.ts';

export function writeStages(writer: SpanWriter, info: StreamInfo, wallOffsetMs: number): void {
  const stage = (name: string, atMs: number): void => {
    if (atMs < 0) return;
    const event = writer.beginMessage(SpanField.events);
    writer.time(EventField.time, wallOffsetMs + atMs);
    writer.text(EventField.name, name);
    writer.endMessage(event);
  };
  stage('last_downstream_rx_byte_received', info.requestEndAtMs);
  stage('first_upstream_tx_byte_sent', info.upstreamRequestStartAtMs);
  stage('last_upstream_tx_byte_sent', info.upstreamRequestEndAtMs);
  stage('first_upstream_rx_byte_received', info.responseHeadAtMs);
  // A reply of our own is no response of an endpoint.
  if (info.responseHeadAtMs >= 0) stage('last_upstream_rx_byte_received', info.responseEndAtMs);
  stage('first_downstream_tx_byte_sent', info.downstreamResponseStartAtMs);
  if (info.downstreamResponseStartAtMs >= 0) stage('last_downstream_tx_byte_sent', info.endedAtMs);
}
