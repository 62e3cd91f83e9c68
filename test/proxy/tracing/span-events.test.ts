import t from 'tap';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { writeStages } from '../../../proxy/tracing/span-events.ts';
import { SpanWriter } from '../../../proxy/tracing/span-writer.ts';
import { decodeOtlp } from '../../support/otlp-messages.ts';

function stages(times: Partial<StreamInfo>): readonly string[] {
  const writer = new SpanWriter(64);
  writeStages(writer, Object.assign(new StreamInfo(), times), 1000);
  const { events } = decodeOtlp('Span', writer.bytes.subarray(0, writer.used)) as {
    readonly events: readonly { readonly name: string; readonly timeUnixNano: string }[];
  };
  return events.map(({ name, timeUnixNano }) => `${name} ${Number(timeUnixNano) / 1e6}`);
}

t.test('each stage that was reached is told with its time', async (t) => {
  const upstream = { upstreamRequestStartAtMs: 2, upstreamRequestEndAtMs: 3, responseHeadAtMs: 4, responseEndAtMs: 5 };
  t.same(stages({ requestEndAtMs: 1, ...upstream, downstreamResponseStartAtMs: 6, endedAtMs: 7 }), [
    'last_downstream_rx_byte_received 1001',
    'first_upstream_tx_byte_sent 1002',
    'last_upstream_tx_byte_sent 1003',
    'first_upstream_rx_byte_received 1004',
    'last_upstream_rx_byte_received 1005',
    'first_downstream_tx_byte_sent 1006',
    'last_downstream_tx_byte_sent 1007',
  ]);
});

t.test('a reply of our own is no response of an endpoint', async (t) => {
  t.same(stages({ requestEndAtMs: 1, responseEndAtMs: 5, downstreamResponseStartAtMs: 6, endedAtMs: 7 }), [
    'last_downstream_rx_byte_received 1001',
    'first_downstream_tx_byte_sent 1006',
    'last_downstream_tx_byte_sent 1007',
  ]);
});

t.test('to a client that left before its response nothing was sent', async (t) => {
  t.same(stages({ requestEndAtMs: 1, upstreamRequestStartAtMs: 2, endedAtMs: 7 }), [
    'last_downstream_rx_byte_received 1001',
    'first_upstream_tx_byte_sent 1002',
  ]);
});
