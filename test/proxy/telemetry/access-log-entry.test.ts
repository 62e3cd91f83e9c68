import t from 'tap';
import type { EnvoyLogEntries, LogDelivery } from '../../../config/access-log.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { compileEntryLine, type EntryFacts, toLine } from '../../../proxy/telemetry/access-log-entry.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { entryCollector } from '../../support/access-log-fixtures.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

function factsOf(context = finishedRequest(), more: Partial<LogDelivery & EnvoyLogEntries> = {}): EntryFacts {
  return JSON.parse(compileEntryLine(entryCollector(more))(context)) as EntryFacts;
}

t.test('times are microseconds after the start, and -1 for what has not happened', async (t) => {
  const context = finishedRequest();
  const [common] = factsOf(context);
  t.equal(common[0], context.info.startWallMs);
  t.strictSame(common[1], [2900, -1, 3000, 10_000, -1, -1, -1]);
  t.equal(common[2], 15_500);
});

t.test('a cluster is told with its endpoint, and not that of a route alone', async (t) => {
  const context = finishedRequest();
  t.equal(factsOf(context)[0][8], 'service');
  context.info.upstreamRemoteAddress = '';
  t.equal(factsOf(context)[0][8], '');
});

t.test('names of a configuration are UTF-8, as everything else is bytes', async (t) => {
  const context = finishedRequest();
  context.info.upstreamCluster = context.info.routeName = 'caf\u00e9 \u4e2d';
  const [common] = factsOf(context);
  t.equal(common[8], Buffer.from('caf\u00e9 \u4e2d').toString('latin1'));
  t.equal(common[9], common[8]);
});

t.test('headers that are asked for have all their values, pseudo-headers included; others are null', async (t) => {
  const http = factsOf(finishedRequest(), {
    requestHeaders: [':path', 'x-a', 'host', 'x-none'],
    responseHeaders: ['server', ':status', 'x-none'],
    responseTrailers: ['x-none'],
  })[1]!;
  t.strictSame(http[11], ['/new?q', '1,2', 'shop.example', null]);
  t.strictSame(http[15], ['origin', '200', null]);
  t.strictSame(http[16], [null]);
});

t.test('bytes of headers are those of names and values, pseudo-headers with them', async (t) => {
  const context = finishedRequest();
  const fields = 'User-Agentcurl "8"X-A1x-a2';
  const pseudo = ':methodPOST:schemehttp:authorityshop.example:path/new?q';
  t.equal(factsOf(context)[1]![10][0], fields.length + pseudo.length);
  t.equal(factsOf(context)[1]![14][0], 'Serverorigin:status200'.length);
});

t.test('a connection has no facts of HTTP', async (t) => {
  const context = { ...finishedRequest(), request: null, response: null };
  t.equal(factsOf(context, { kind: 'tcp-entries' })[1], null);
});

t.test('tags, the trace and the metadata of filters come along', async (t) => {
  const context = finishedRequest();
  context.info.dynamicMetadata = new Map([['filter', new Map<string, unknown>([['a', 1]])]]);
  context.info.trace = { traceIdText: 'aa', spanIdText: 'bb', reason: SamplingReason.slow };
  const customTags = [
    { tag: 'a', source: { kind: 'literal', value: 'b' } },
    { tag: 'c', source: { kind: 'request-header', name: 'x-none', defaultValue: '' } },
  ] as const;
  const [common] = factsOf(context, { customTags });
  t.strictSame(common[17], { filter: { a: 1 } });
  t.strictSame(common[18], ['b', null]);
  t.strictSame(common[19], ['aa', 'bb', 'slow']);
  context.info.trace = { traceIdText: 'aa', spanIdText: 'bb', reason: SamplingReason.none };
  t.strictSame(factsOf(context)[0][19], ['aa', 'bb', '']);
});

t.test('nothing is known of a connection that was dropped at once', async (t) => {
  const context = { info: new StreamInfo(), request: null, response: null, responseTrailers: null, localReplyBody: '' };
  const [common, http] = factsOf(context, { requestHeaders: ['x-a', 'host'] });
  t.strictSame(common[1], [-1, -1, -1, -1, -1, -1, -1]);
  t.strictSame(http!.slice(0, 10), ['', '', '', '', '', '', '', '', '', '']);
  t.strictSame(http![11], [null, null]);
});

t.test('a line has bytes only: bytes of a peer stay, other characters become UTF-8', async (t) => {
  const bytes = Buffer.from('ü').toString('latin1');
  t.equal(toLine([bytes]), `["${bytes}"]`);
  t.equal(Buffer.from(toLine(['東\n']), 'latin1').toString('utf8'), '["東\\n"]');
});
