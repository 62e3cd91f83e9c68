import t from 'tap';
import type { CustomTag } from '../../../config/tracing.ts';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import { RequestHead } from '../../../proxy/http/message.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { compileCustomTags, writeTags } from '../../../proxy/tracing/custom-tags.ts';
import { SpanField } from '../../../proxy/tracing/span-field.ts';
import { attributeKey, SpanWriter } from '../../../proxy/tracing/span-writer.ts';
import { decodeOtlp, type KeyValue, plainValue } from '../../support/otlp-messages.ts';

const literal = (tag: string, value: string): CustomTag => ({ tag, source: { kind: 'literal', value } });
const header = (tag: string, name: string, defaultValue: string): CustomTag => ({
  tag,
  source: { kind: 'request-header', name, defaultValue },
});

/** In the order in which they are written. */
function written(
  tags: readonly CustomTag[],
  headers: Readonly<Record<string, string>> = {},
  before: (writer: SpanWriter) => void = () => undefined,
) {
  const request = new RequestHead();
  request.method = 'GET';
  for (const [name, value] of Object.entries(headers)) request.headers.append(name, value);
  const context: FormatContext = {
    info: new StreamInfo(),
    request,
    response: null,
    responseTrailers: null,
    localReplyBody: '',
  };
  const writer = new SpanWriter(8);
  writer.integer(SpanField.kind, 2);
  const start = writer.used;
  before(writer);
  writeTags(writer, compileCustomTags(tags), { context, start });
  const span = decodeOtlp('Span', writer.bytes.subarray(0, writer.used));
  return (span['attributes'] as KeyValue[]).map(({ key, value }) => `${key}: ${plainValue(value)}`);
}

t.test('what is the same for every request comes first, then what is read of the request', async (t) => {
  const method: CustomTag = { tag: 'method', source: { kind: 'format', format: '%REQ(:METHOD)%' } };
  t.same(written([method, header('user', 'x-user', 'nobody'), literal('mesh', 'main')], { 'x-user': 'alice' }), [
    'mesh: main',
    'method: GET',
    'user: alice',
  ]);
});

t.test('the first of a name counts, and an empty tag is left out', async (t) => {
  const tags = [literal('a', 'first'), literal('a', 'second'), literal('nothing', ''), header('none', 'x-none', '')];
  t.same(written(tags), ['a: first']);
});

t.test('a variable that is not set has its default', async (t) => {
  const source = { kind: 'environment', name: 'NO_SUCH_VARIABLE', defaultValue: 'default' } as const;
  t.same(written([{ tag: 'home', source }]), ['home: default']);
});

t.test(
  'a tag stands in the place of an attribute of its name, whatever that has, and an empty one leaves it',
  async (t) => {
    const names = ['url.path', 'url.pat', 'url.path2', 'long', 'sampling.reason'];
    const before = (writer: SpanWriter): void => {
      for (const name of names)
        writer.textAttribute(9, attributeKey(name), name === 'long' ? 'x'.repeat(20_000) : name);
      writer.integerAttribute(9, attributeKey('http.response.status_code'), 200);
    };
    const tags = [
      literal('url.path', '/mine'),
      header('long', 'x-user', ''),
      header('sampling.reason', 'x-none', ''),
      literal('http.response.status_code', '299'),
    ];
    t.same(written(tags, { 'x-user': 'alice' }, before), [
      'url.pat: url.pat',
      'url.path2: url.path2',
      'sampling.reason: sampling.reason',
      'url.path: /mine',
      'http.response.status_code: 299',
      'long: alice',
    ]);
  },
);
