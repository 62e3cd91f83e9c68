import fc from 'fast-check';
import t from 'tap';
import { HttpInspector, recognizeHttp } from '../../../proxy/listener/http-inspector.ts';
import { type ConnectionFindings, MAX_INSPECTED_BYTES, Verdict } from '../../../proxy/listener/listener-filter.ts';
import { httpInspectorStats } from '../../../proxy/telemetry/listener-filter-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

function recognize(text: string, seen = 0): string {
  const bytes = Buffer.from(text, 'latin1');
  return recognizeHttp(bytes, bytes.length, seen);
}

t.test('the version at the end of the request line decides, whatever else is wrong with it', (t) => {
  const lines: readonly [line: string, outcome: string][] = [
    ['GET / HTTP/1.1\r\n', 'http/1.1'],
    ['GET / HTTP/1.1\n', 'http/1.1'],
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'http/1.1'],
    ['get / HTTP/1.1\r\n', 'http/1.1'],
    ['X-CUSTOM a b c HTTP/1.1\r\n', 'http/1.1'],
    ['GET\t/\tHTTP/1.1 \r\n', 'http/1.1'],
    ['GET \0\xff HTTP/1.1\r\n', 'http/1.1'],
    ['GET  HTTP/1.1\r\n', 'http/1.1'],
    ['GET / HTTP/1.0\r\n', 'http/1.0'],
    ['GET / HTTP/1.2\r\n', 'http/1.0'],
    ['GET / HTTP/2.0\r\n', 'http/1.0'],
    ['PRI * HTTP/2.0\r\n\r\nXX\r\n', 'http/1.0'],
    [preface, 'h2c'],
    [`${preface}more`, 'h2c'],
    ['GET /\r\n', 'none'],
    ['GET\r\n', 'none'],
    ['GET \r\n', 'none'],
    ['GET / http/1.1\r\n', 'none'],
    ['GET / HTTP/1.11\r\n', 'none'],
    ['GET /HTTP/1.1\r\n', 'none'],
    ['HTTP/1.1\r\n', 'none'],
    ['\r\nGET / HTTP/1.1\r\n', 'none'],
    [' GET / HTTP/1.1\r\n', 'none'],
    ['EHLO a.example\r\n', 'none'],
    ['SSH-2.0-x\r\n', 'none'],
    ['\x16\x03\x01', 'none'],
    ['G{T', 'none'],
    ['a'.repeat(65), 'none'],
  ];
  for (const [line, outcome] of lines) t.equal(recognize(line), outcome, JSON.stringify(line));
  t.end();
});

t.test('what may become a request line, or the preface, is awaited', (t) => {
  for (const text of ['G', 'PRI', preface.slice(0, -1), 'GET / HTTP/1.1', 'GET / HTTP/1.1\r', 'a'.repeat(64)]) {
    t.equal(recognize(text), 'incomplete', JSON.stringify(text));
  }
  t.end();
});

t.test('how the bytes arrive makes no difference, and nothing behind them is read', (t) => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('GET / HTTP/1.1\r\n', 'POST /a HTTP/1.0\r\n', 'GET /\r\n', preface, preface.replace('S', 'X')),
    fc
      .tuple(fc.constantFrom('GET ', 'X\t', ''), fc.string({ maxLength: 9 }), fc.constantFrom(' HTTP/1.1\n', '\n'))
      .map((p) => p.join('')),
  );
  fc.assert(
    fc.property(line, fc.string({ maxLength: 20 }), (text, behind) => {
      const bytes = Buffer.from(text + behind, 'latin1');
      const length = Buffer.from(text, 'latin1').length;
      let outcome = 'incomplete';
      for (let end = 1; end <= length && outcome === 'incomplete'; end++) outcome = recognizeHttp(bytes, end, end - 1);
      return length === 0 || outcome === recognize(text);
    }),
  );
  t.end();
});

function inspector() {
  const stats = new WorkerStats(() => undefined).block(httpInspectorStats);
  const found: ConnectionFindings = { transportProtocol: '', serverName: '', applicationProtocols: [] };
  const filter = new HttpInspector(stats);
  const inspect = (text: string) => filter.inspect({ bytes: Buffer.from(text), end: text.length, seen: 0, found });
  return { stats, found, inspect };
}

t.test('what is found is what the filter chain match asks for, and is counted', (t) => {
  for (const [text, protocols, counted] of [
    ['GET / HTTP/1.1\r\n', ['http/1.1'], httpInspectorStats.http11Found],
    ['GET / HTTP/1.0\r\n', ['http/1.0'], httpInspectorStats.http10Found],
    [preface, ['h2c'], httpInspectorStats.http2Found],
    ['\0', [], httpInspectorStats.httpNotFound],
  ] as const) {
    const { stats, found, inspect } = inspector();
    t.equal(inspect(text), Verdict.done);
    t.same(found.applicationProtocols, protocols);
    t.equal(stats.get(counted), 1);
  }
  t.end();
});

t.test('TLS is left alone, though its protocols were found before', (t) => {
  const { stats, found, inspect } = inspector();
  found.transportProtocol = 'tls';
  found.applicationProtocols = ['h2'];
  t.equal(inspect('GET / HTTP/1.1\r\n'), Verdict.done);
  t.same(found.applicationProtocols, ['h2']);
  t.equal(stats.get(httpInspectorStats.http11Found), -0);
  t.end();
});

t.test('a request line without an end is awaited up to a bound, then the connection is refused', (t) => {
  const { stats, inspect } = inspector();
  t.equal(inspect(`GET /${'a'.repeat(MAX_INSPECTED_BYTES - 6)}`), Verdict.needsMore);
  t.equal(inspect(`GET /${'a'.repeat(MAX_INSPECTED_BYTES - 5)}`), Verdict.refused);
  t.equal(stats.get(httpInspectorStats.readError), 1);
  t.end();
});
