import t from 'tap';
import type { AccessLogFilter, Comparison } from '../../../config/access-log.ts';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import { RequestHead, ResponseHead } from '../../../proxy/http/message.ts';
import { ResponseFlag, StreamInfo } from '../../../proxy/http/stream-info.ts';
import { compileAccessLogFilter } from '../../../proxy/telemetry/access-log-filter.ts';

const runtime = new Map<string, string | number | boolean>();

function matches(filter: AccessLogFilter, context: FormatContext, random = 0.5): boolean {
  return compileAccessLogFilter(filter, { random: () => random, runtime })(context);
}

function contextOf(facts: Partial<StreamInfo> = {}): FormatContext {
  const info = Object.assign(new StreamInfo(), facts);
  return { info, request: new RequestHead(), response: null, responseTrailers: null, localReplyBody: '' };
}

t.beforeEach(() => runtime.clear());

t.test('a status code is compared, with the value the runtime gives', (t) => {
  const rows: [Comparison['op'], number, boolean][] = [
    ['eq', 404, true],
    ['eq', 400, false],
    ['ne', 404, false],
    ['ne', 400, true],
    ['ge', 404, true],
    ['ge', 405, false],
    ['le', 404, true],
    ['le', 403, false],
  ];
  for (const [op, value, expected] of rows) {
    const filter: AccessLogFilter = { kind: 'status-code', comparison: { op, value, runtimeKey: 'key' } };
    t.equal(matches(filter, contextOf({ responseCode: 404 })), expected, `404 ${op} ${value}`);
  }
  runtime.set('key', 500);
  const filter: AccessLogFilter = { kind: 'status-code', comparison: { op: 'ge', value: 400, runtimeKey: 'key' } };
  t.notOk(matches(filter, contextOf({ responseCode: 404 })));
  t.end();
});

t.test('a duration is compared when it is known', (t) => {
  const slow: AccessLogFilter = { kind: 'duration-ms', comparison: { op: 'ge', value: 100 } };
  const notZero: AccessLogFilter = { kind: 'duration-ms', comparison: { op: 'ne', value: 0 } };
  t.ok(matches(slow, contextOf({ startedAtMs: 50, endedAtMs: 150 })));
  t.notOk(matches(slow, contextOf({ startedAtMs: 51, endedAtMs: 150 })));
  t.notOk(matches(slow, contextOf({ startedAtMs: 50 })));
  t.notOk(matches(notZero, contextOf({ startedAtMs: 50 })));
  t.end();
});

t.test('health checks and traces are told by what is known of the request', (t) => {
  t.ok(matches({ kind: 'not-health-check' }, contextOf()));
  t.notOk(matches({ kind: 'not-health-check' }, contextOf({ isHealthCheck: true })));
  t.ok(matches({ kind: 'traceable' }, contextOf({ isTraced: true })));
  t.notOk(matches({ kind: 'traceable' }, contextOf()));
  t.end();
});

t.test('a share of requests is drawn by the request id, else by chance', (t) => {
  const filter: AccessLogFilter = {
    kind: 'runtime',
    fraction: { numerator: 25, denominator: 100, runtimeKey: 'share' },
  };
  t.ok(matches(filter, contextOf(), 0.249));
  t.notOk(matches(filter, contextOf(), 0.25));
  t.ok(matches(filter, contextOf({ requestId: '00000018-0000-4000-8000-000000000000' }), 0.9), '0x18 is 24');
  t.notOk(matches(filter, contextOf({ requestId: '00000019-0000-4000-8000-000000000000' }), 0), '0x19 is 25');
  runtime.set('share', 100);
  t.ok(matches(filter, contextOf(), 0.99));
  runtime.set('share', 0);
  t.notOk(matches(filter, contextOf(), 0));
  t.end();
});

t.test('and needs all, or needs one', (t) => {
  const failed: AccessLogFilter = { kind: 'status-code', comparison: { op: 'ge', value: 500 } };
  const traced: AccessLogFilter = { kind: 'traceable' };
  const both: AccessLogFilter = { kind: 'and', filters: [failed, traced] };
  const either: AccessLogFilter = { kind: 'or', filters: [failed, traced] };
  t.notOk(matches(both, contextOf({ responseCode: 500 })));
  t.ok(matches(both, contextOf({ responseCode: 500, isTraced: true })));
  t.ok(matches(either, contextOf({ responseCode: 200, isTraced: true })));
  t.notOk(matches(either, contextOf({ responseCode: 200 })));
  t.end();
});

t.test('a header is matched in the request; a connection without one has no headers', (t) => {
  const present = { name: 'x-log', match: { kind: 'present', present: true }, treatMissingAsEmpty: false } as const;
  const context = contextOf();
  context.request!.headers.append('X-Log', '1');
  t.ok(matches({ kind: 'header', matcher: { ...present, invert: false } }, context));
  const tcp = { ...contextOf(), request: null };
  t.notOk(matches({ kind: 'header', matcher: { ...present, invert: false } }, tcp));
  t.ok(matches({ kind: 'header', matcher: { ...present, invert: true } }, tcp));
  t.end();
});

t.test('response flags are matched by name, or any of them', (t) => {
  const refused = contextOf({ responseFlags: ResponseFlag.upstreamConnectionFailure });
  t.ok(matches({ kind: 'response-flag', flags: ['UF', 'NR'] }, refused));
  t.notOk(matches({ kind: 'response-flag', flags: ['NR'] }, refused));
  t.ok(matches({ kind: 'response-flag', flags: [] }, refused));
  t.notOk(matches({ kind: 'response-flag', flags: [] }, contextOf()));
  t.end();
});

t.test('a gRPC status comes from trailers, else from the head, else from the HTTP status', (t) => {
  const unavailable: AccessLogFilter = { kind: 'grpc-status', statuses: [14], exclude: false };
  const notUnavailable: AccessLogFilter = { ...unavailable, exclude: true };
  const ok: AccessLogFilter = { kind: 'grpc-status', statuses: [0], exclude: false };
  const inHead = { ...contextOf({ responseCode: 503 }), response: new ResponseHead() };
  t.ok(matches(unavailable, inHead));
  t.notOk(matches(notUnavailable, inHead));
  inHead.response.headers.append('grpc-status', '0');
  t.ok(matches(ok, inHead));
  const responseTrailers = new HeaderTable();
  responseTrailers.append('grpc-status', '14');
  t.ok(matches(unavailable, { ...inHead, responseTrailers }));
  const unknown: AccessLogFilter = { kind: 'grpc-status', statuses: [2], exclude: false };
  t.ok(matches(unknown, contextOf({ responseCode: 200 })), 'a gRPC response without status is UNKNOWN');
  t.end();
});
