import fc from 'fast-check';
import t from 'tap';
import type { JsonFormat } from '../../../config/access-log.ts';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import { compileJsonFormat, compileLogFormat, type JsonFormatOptions } from '../../../proxy/format/json-format.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { request } from '../../support/route-fixtures.ts';

function contextOf(userAgent: string): FormatContext {
  const info = new StreamInfo();
  info.responseCode = 404;
  info.endedAtMs = 7;
  const head = request({ path: '/a', headers: [['User-Agent', userAgent]] });
  return { info, request: head, response: null, responseTrailers: null, localReplyBody: '' };
}

/** The line as the bytes that are written. */
function line(fields: JsonFormat, options: JsonFormatOptions = {}, userAgent = 'curl'): string {
  return Buffer.from(compileJsonFormat(fields, options).write(contextOf(userAgent)), 'latin1').toString('utf8');
}

t.test('a leaf of one command keeps its type, mixed text is a string', async (t) => {
  t.equal(
    line({
      code: '%RESPONSE_CODE%',
      took: '%DURATION% ms',
      path: '%REQ(:PATH)%',
      none: '%UPSTREAM_HOST%',
      mix: 'x%UPSTREAM_HOST%',
    }),
    '{"code":404,"took":"7 ms","path":"/a","none":null,"mix":"x-"}\n',
  );
});

t.test('what has fields keeps them, and is text only among other text', async (t) => {
  const context = contextOf('curl');
  context.info.clusterMetadata = { a: { list: [1, 'é', true], 'a b': { x: 0.5 } } };
  const write = (fields: JsonFormat) =>
    Buffer.from(compileJsonFormat(fields).write(context), 'latin1').toString('utf8');
  const whole = { 'a b': { x: 0.5 }, list: [1, 'é', true] };
  t.same(JSON.parse(write({ a: '%CLUSTER_METADATA(a)%', cut: '%CLUSTER_METADATA(a):4%' })), { a: whole, cut: whole });
  t.same(JSON.parse(write({ a: 'of %CLUSTER_METADATA(a):6%' })), { a: 'of {"a b"' });
});

t.test('a number that JSON has no word for is null, and in text what Envoy says', async (t) => {
  const context = contextOf('curl');
  context.info.clusterMetadata = { a: { nan: Number.NaN, inf: Infinity, least: -Infinity, list: [Number.NaN, 1] } };
  const write = (fields: JsonFormat) => compileJsonFormat(fields).write(context);
  const command = (path: string) => `%CLUSTER_METADATA(a:${path})%`;
  const fields = { nan: command('nan'), inf: command('inf'), least: command('least'), list: command('list') };
  t.equal(write(fields), '{"nan":null,"inf":null,"least":null,"list":[null,1]}\n');
  t.equal(write({ all: '%CLUSTER_METADATA(a)%' }), '{"all":{"inf":null,"least":null,"list":[null,1],"nan":null}}\n');
  t.equal(write({ nan: Number.NaN, inf: [Infinity] }), '{"nan":null,"inf":[null]}\n');
  const text = `${command('nan')} ${command('inf')} ${command('least')} ${command('least')}:3`;
  t.equal(write({ text }), '{"text":"null inf -inf -inf:3"}\n');
  const cut = text.replaceAll(')%', '):2%');
  t.equal(write({ cut }), '{"cut":"nu in -i -i:3"}\n');
});

t.test('objects, lists and plain values keep their shape', async (t) => {
  t.equal(
    line({ o: { p: ['%RESPONSE_CODE%', 'text', 1.5, true, null, {}] }, e: [] }),
    '{"o":{"p":[404,"text",1.5,true,null,{}]},"e":[]}\n',
  );
});

t.test('empty values are left out when asked, also at the beginning', async (t) => {
  const fields = { a: '%UPSTREAM_HOST%', b: '%RESPONSE_CODE%', c: '%UPSTREAM_HOST%', d: ['%UPSTREAM_HOST%', 1] };
  t.equal(line(fields, { omitEmptyValues: true }), '{"b":404,"d":[1]}\n');
});

t.test('keys keep their order, or are sorted when asked', async (t) => {
  const fields = { b: 1, a: { d: 2, c: 3 } };
  t.equal(line(fields), '{"b":1,"a":{"d":2,"c":3}}\n');
  t.equal(line(fields, { sortProperties: true }), '{"a":{"c":3,"d":2},"b":1}\n');
});

t.test('quotes, backslashes and control characters are escaped', async (t) => {
  t.equal(line({ a: '%REQ(User-Agent)%', 'k"': 'v\n' }, {}, 'x"\\\t'), '{"a":"x\\"\\\\\\t","k\\"":"v\\n"}\n');
});

t.test('text beyond ASCII is UTF-8, and bytes that are not become U+FFFD', async (t) => {
  t.equal(line({ é: 'ö %REQ(User-Agent)%' }, {}, Buffer.from('ß').toString('latin1')), '{"é":"ö ß"}\n');
  t.equal(line({ a: '%REQ(User-Agent)%' }, {}, '\u00ff'), '{"a":"\ufffd"}\n');
});

t.test('whatever a client sends, the line is one line of JSON', async () => {
  const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array).toString('latin1'));
  fc.assert(
    fc.property(bytes, (userAgent) => {
      const text = line({ agent: '%REQ(User-Agent)%', both: '[%REQ(User-Agent)%]' }, {}, userAgent);
      const parsed = JSON.parse(text) as { agent: string; both: string };
      const sent = Buffer.from(userAgent, 'latin1').toString('utf8');
      return text.indexOf('\n') === text.length - 1 && parsed.agent === sent && parsed.both === `[${sent}]`;
    }),
  );
});

t.test('either kind of log format compiles', async (t) => {
  const text = compileLogFormat({ kind: 'text', format: '%UPSTREAM_HOST%|', omitEmptyValues: true });
  t.equal(text.write(contextOf('')), '|');
  const json = compileLogFormat({ kind: 'json', fields: { b: 1, a: 2 }, omitEmptyValues: false, sortProperties: true });
  t.equal(json.write(contextOf('')), '{"a":2,"b":1}\n');
});
