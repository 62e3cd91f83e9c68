import t from 'tap';
import { downstreamTimeout } from '../../../proxy/http/downstream-timeouts.ts';
import { StreamDeadline } from '../../../proxy/http/response-sender.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { Scene } from '../../support/http-fixtures.ts';

const waiting = { requestEnded: true, idleMs: 70 };
const sending = { requestEnded: false, idleMs: 70 };

t.test('each timeout has its reply, and another status once the request is complete', async (t) => {
  const { manager } = new Scene({ manager: { requestTimeoutMs: 50 } });
  const replied = (slot: number, stream = sending) => {
    const timeout = downstreamTimeout(slot, manager, stream);
    return [timeout?.reply.status, timeout?.reply.details, timeout?.reason];
  };
  const idle = 'no byte moved in either direction for 70 ms';
  t.same(replied(StreamDeadline.streamIdle), [408, 'stream_idle_timeout', idle]);
  t.same(replied(StreamDeadline.streamIdle, waiting), [504, 'stream_idle_timeout', idle]);
  const tooLong = 'the request lasted longer than max_stream_duration';
  t.same(replied(StreamDeadline.maxDuration), [408, 'max_duration_timeout', tooLong]);
  t.same(replied(StreamDeadline.maxDuration, waiting), [504, 'max_duration_timeout', tooLong]);
  t.same(replied(StreamDeadline.request), [408, 'request_overall_timeout', 'the request was not complete after 50 ms']);
});

t.test('each is counted, and those of an attempt are left to it', async (t) => {
  const scene = new Scene();
  for (const slot of [
    StreamDeadline.response,
    StreamDeadline.perTry,
    StreamDeadline.perTryIdle,
    StreamDeadline.backoff,
  ])
    t.equal(downstreamTimeout(slot, scene.manager, waiting), null);
  const value = (index: number) => scene.stats.get(httpStats, 'test')!.value(index);
  t.equal(value(httpStats.downstreamRqIdleTimeout), 0);
  for (const slot of [StreamDeadline.streamIdle, StreamDeadline.request, StreamDeadline.maxDuration])
    downstreamTimeout(slot, scene.manager, waiting);
  t.equal(value(httpStats.downstreamRqIdleTimeout), 1);
  t.equal(value(httpStats.downstreamRqTimeout), 1);
  t.equal(value(httpStats.downstreamRqMaxDurationReached), 1);
});
