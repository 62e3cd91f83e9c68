import t from 'tap';
import { readSpanRecords } from '../../../proxy/export/span-record-reader.ts';
import { RequestTrace } from '../../../proxy/tracing/request-trace.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { beginRecord } from '../../../proxy/tracing/span-record.ts';
import { SpanWriter } from '../../../proxy/tracing/span-writer.ts';
import { readThresholdText } from '../../../proxy/tracing/threshold-bytes.ts';
import { noItems } from '../../support/empty-patterns.ts';

function recordOf(fill: (trace: RequestTrace) => void) {
  const trace = new RequestTrace();
  readThresholdText(trace.random, '6e6d1a75832a2f');
  fill(trace);
  const writer = new SpanWriter(8);
  for (const signature of [0, 0xfedcba98 | 0]) {
    const at = beginRecord(writer, trace, { provider: 7, spanCount: 0, signature, isNewSignature: signature !== 0 });
    writer.endLength32(at);
  }
  return readSpanRecords(writer.bytes.subarray(0, writer.used));
}

t.test('the head of a record says what stage 2 and the exporter ask for', async (t) => {
  const [plain, error] = recordOf((trace) => {
    trace.reason = SamplingReason.error;
    trace.keySlot = 499;
    trace.hasThreshold = true;
    trace.isHeadKept = true;
    readThresholdText(trace.threshold, 'fd70a4');
    trace.context.otherOt = 'k:v';
    trace.context.otherState = 'a=1,b=2';
  });
  t.match(plain, {
    provider: 7,
    reason: SamplingReason.error,
    isHeadKept: true,
    isSignatureNew: false,
    sharesSpanId: false,
    keySlot: 499,
    signature: 0,
    random: '6e6d1a75832a2f',
    threshold: 'fd70a400000000',
    ot: 'k:v',
    otherState: 'a=1,b=2',
    spans: noItems,
  });
  t.match(error, { signature: 0xfedcba98, isSignatureNew: true });
});

t.test('rv comes before the other keys of ot, and a list beyond all measure is left out', async (t) => {
  const stateOf = (randomValue: string, otherOt: string, otherState = '') => {
    const [record] = recordOf(({ context }) => Object.assign(context, { randomValue, otherOt, otherState }));
    return [record!.threshold, record!.ot, record!.otherState];
  };
  t.same(stateOf('6e6d1a75832a2f', ''), [null, 'rv:6e6d1a75832a2f', '']);
  t.same(stateOf('6e6d1a75832a2f', 'k:v', 'a=1'), [null, 'rv:6e6d1a75832a2f;k:v', 'a=1']);
  t.same(stateOf('', '', `a=${'x'.repeat(5000)}`), [null, '', '']);
});
