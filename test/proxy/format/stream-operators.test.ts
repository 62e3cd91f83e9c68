import t from 'tap';
import { streamOperators } from '../../../proxy/format/stream-operators.ts';
import { ResponseFlag, StreamInfo } from '../../../proxy/http/stream-info.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

function operate(name: string, argument: string | null = null, context = finishedRequest()) {
  return streamOperators[name]!({ name, argument, maxLength: null })(context);
}

t.test('numbers are numbers and text is text', async (t) => {
  for (const [name, expected] of [
    ['RESPONSE_CODE', 200],
    ['DOWNSTREAM_REMOTE_PORT', 51234],
    ['CONNECTION_ID', 42],
    ['UPSTREAM_REQUEST_ATTEMPT_COUNT', 2],
    ['PROTOCOL', 'HTTP/1.1'],
    ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', 'fd00::3'],
    ['RESPONSE_FLAGS', '-'],
  ] as const) {
    t.equal(operate(name), expected, name);
  }
});

t.test('what has not happened is null', async (t) => {
  const context = { ...finishedRequest(), info: new StreamInfo() };
  for (const name of ['UPSTREAM_HOST', 'UPSTREAM_REMOTE_PORT', 'PROTOCOL', 'ROUTE_NAME']) {
    t.equal(operate(name, null, context), null, name);
  }
});

t.test('names of a configuration are UTF-8 on one line, whatever characters they have', async (t) => {
  const context = finishedRequest();
  const name = 'caf\u00e9\n\u4e2d';
  const { info } = context;
  info.routeName = info.virtualHostName = info.virtualCluster = info.filterChainName = name;
  info.listenerName = info.upstreamCluster = info.upstreamClusterStatName = info.upstreamHostname = name;
  const expected = Buffer.from('caf\u00e9\\x0a\u4e2d').toString('latin1');
  for (const command of [
    ...['ROUTE_NAME', 'VIRTUAL_HOST_NAME', 'VIRTUAL_CLUSTER_NAME', 'FILTER_CHAIN_NAME', 'LISTENER_NAME'],
    ...['UPSTREAM_CLUSTER', 'UPSTREAM_CLUSTER_RAW', 'UPSTREAM_HOST_NAME', 'UPSTREAM_HOST_NAMES_ATTEMPTED'],
  ]) {
    t.equal(operate(command, null, context), expected, command);
  }
  process.env['OUTRIGGER_TEST_NAME'] = name;
  t.teardown(() => delete process.env['OUTRIGGER_TEST_NAME']);
  t.equal(operate('ENVIRONMENT', 'OUTRIGGER_TEST_NAME'), expected);
});

t.test('the path of a pipe has no port', async (t) => {
  const context = finishedRequest();
  context.info.upstreamRemoteAddress = '/run/app:1.sock';
  t.equal(operate('UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', null, context), '/run/app:1.sock');
  t.equal(operate('UPSTREAM_REMOTE_PORT', null, context), null);
});

t.test('response flags are listed in the order of their bits, short and long', async (t) => {
  const context = finishedRequest();
  context.info.responseFlags = ResponseFlag.upstreamRetryLimitExceeded | ResponseFlag.upstreamConnectionFailure;
  t.equal(operate('RESPONSE_FLAGS', null, context), 'UF,URX');
  t.equal(operate('RESPONSE_FLAGS_LONG', null, context), 'UpstreamConnectionFailure,UpstreamRetryLimitExceeded');
});

t.test('without a provider the trace id is the one of the W3C header, and there is no span of ours', async (t) => {
  const context = finishedRequest();
  context.request!.headers.append('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
  t.equal(operate('TRACE_ID', null, context), '4bf92f3577b34da6a3ce929d0e0e4736');
  t.equal(operate('SPAN_ID', null, context), null);
  t.equal(operate('SAMPLING_REASON', null, context), null);
});

t.test('a trace is told by its ids, and by why it is kept', async (t) => {
  const context = finishedRequest();
  context.request!.headers.append('traceparent', '00-00000000000000000000000000000001-0000000000000002-01');
  const trace = { traceIdText: '4bf92f3577b34da6a3ce929d0e0e4736', spanIdText: '00f067aa0ba902b7' };
  context.info.trace = { ...trace, reason: SamplingReason.error };
  t.equal(operate('TRACE_ID', null, context), '4bf92f3577b34da6a3ce929d0e0e4736');
  t.equal(operate('SPAN_ID', null, context), '00f067aa0ba902b7');
  t.equal(operate('SAMPLING_REASON', null, context), 'error');
  context.info.trace = { ...trace, reason: SamplingReason.none };
  t.equal(operate('SPAN_ID', null, context), '00f067aa0ba902b7', 'ids are there whether it is kept or not');
  t.equal(operate('SAMPLING_REASON', null, context), null);
});

t.test('the environment is read when the format is compiled', async (t) => {
  process.env['OUTRIGGER_FORMAT_TEST'] = 'blue';
  const command = { name: 'ENVIRONMENT', argument: 'OUTRIGGER_FORMAT_TEST', maxLength: null };
  const operator = streamOperators['ENVIRONMENT']!(command);
  delete process.env['OUTRIGGER_FORMAT_TEST'];
  t.equal(operator(finishedRequest()), 'blue');
  t.equal(operate('ENVIRONMENT', 'OUTRIGGER_FORMAT_TEST'), '-');
});

t.test('hosts that were attempted are those of the last attempt, if it had a connection', async (t) => {
  const context = finishedRequest();
  t.equal(operate('UPSTREAM_HOSTS_ATTEMPTED', null, context), '10.0.0.7:8080');
  t.equal(operate('UPSTREAM_HOST_NAMES_ATTEMPTED', null, context), 'pod-7');
  t.equal(operate('UPSTREAM_CONNECTION_IDS_ATTEMPTED', null, context), '3');
  context.info.upstreamConnectionNumber = 0;
  for (const name of ['UPSTREAM_HOSTS_ATTEMPTED', 'UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT', 'UPSTREAM_PROTOCOL']) {
    t.equal(operate(name, null, context), null, name);
  }
  t.equal(operate('UPSTREAM_CONNECTION_ID', null, context), 0);
});

t.test('an address may be told as the network that it is in', async (t) => {
  t.equal(operate('DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', '8'), 'fd00::/8');
});

t.test('a line is emitted when the request ends, and each id is another', async (t) => {
  t.equal(operate('EMIT_TIME'), '2026-11-21T12:43:25.022Z');
  t.not(operate('UNIQUE_ID'), operate('UNIQUE_ID'));
  t.equal(operate('ACCESS_LOG_TYPE'), 'NotSet');
  t.equal(operate('ACCESS_LOG_TYPE', null, { ...finishedRequest(), logType: 'TcpPeriodic' }), 'TcpPeriodic');
});
