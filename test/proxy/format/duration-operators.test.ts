import t from 'tap';
import { durationPoints } from '../../../config/format-commands.ts';
import { durationOperators } from '../../../proxy/format/duration-operators.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

function operate(name: string, argument: string | null = null, context = finishedRequest()) {
  return durationOperators[name]!({ name, argument, maxLength: null })(context);
}

t.test('a duration is whole units between two moments', async (t) => {
  t.equal(operate('DURATION'), 15);
  t.equal(operate('REQUEST_DURATION'), 2);
  t.equal(operate('COMMON_DURATION', 'DS_RX_BEG:US_RX_BEG:ms'), 10);
  t.equal(operate('COMMON_DURATION', 'DS_RX_BEG:US_RX_BEG:us'), 10_000);
  t.equal(operate('COMMON_DURATION', 'DS_RX_BEG:US_RX_BEG:ns'), 10_000_000);
  t.equal(operate('COMMON_DURATION', 'US_RX_BEG:DS_RX_END:us'), null, 'the end is before the start');
});

t.test('nothing is measured from or to what has not happened', async (t) => {
  const context = { ...finishedRequest(), info: new StreamInfo() };
  for (const point of durationPoints.filter((point) => point !== 'DS_RX_BEG')) {
    t.equal(operate('COMMON_DURATION', `DS_RX_BEG:${point}:ms`, context), null, point);
  }
});

t.test('moments of a connection are no request’s', async (t) => {
  t.equal(operate('COMMON_DURATION', 'DS_CX_BEG:DS_CX_END:us'), null);
  t.equal(operate('COMMON_DURATION', 'DS_CX_BEG:DS_CX_END:us', { ...finishedRequest(), request: null }), 15_500);
});

t.test('the wait for a connection is none where none was asked for', async (t) => {
  const context = finishedRequest();
  t.equal(operate('UPSTREAM_CONNECTION_POOL_READY_DURATION', null, context), null);
  context.info.upstreamWaitMs = 3.9;
  t.equal(operate('UPSTREAM_CONNECTION_POOL_READY_DURATION', null, context), 3);
});
