import t from 'tap';
import { decodeCustomTags } from '../../../xds/decode/custom-tag.ts';
import type { CustomTag } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const tags = (...yaml: readonly string[]) =>
  decodedAs(
    'envoy.config.route.v3.Tracing',
    `{custom_tags: [${yaml.join(', ')}]}`,
    ({ customTags }: { customTags?: readonly CustomTag[] }, problems) =>
      decodeCustomTags(customTags, problems.at('custom_tags')),
  );
const source = (yaml: string) => tags(`{tag: a, ${yaml}}`).value[0]?.source;
const key = 'metadata_key: {key: n, path: [{key: x}, {key: y}]}';

t.test('a tag is a text, or comes from the environment, a header, metadata or a format', async (t) => {
  t.same(source('literal: {value: v}'), { kind: 'literal', value: 'v' });
  t.same(source('environment: {name: E, default_value: d}'), { kind: 'environment', name: 'E', defaultValue: 'd' });
  t.same(source('environment: {name: E}'), { kind: 'environment', name: 'E', defaultValue: '' });
  t.same(source('request_header: {name: X-User}'), { kind: 'request-header', name: 'x-user', defaultValue: '' });
  t.same(source('value: "%REQ(x)%-1"'), { kind: 'format', format: '%REQ(x)%-1' });
  const metadata = { kind: 'metadata', namespace: 'n', path: ['x', 'y'], defaultValue: 'd' };
  const kinds = { request: 'request', route: 'route', cluster: 'cluster', host: 'endpoint' };
  for (const [kind, of] of Object.entries(kinds)) {
    t.same(source(`metadata: {kind: {${kind}: {}}, ${key}, default_value: d}`), { ...metadata, of });
  }
  t.same(source(`metadata: {${key}, default_value: d}`), { ...metadata, of: 'request' });
});

t.test('of several with one name the first counts', async (t) => {
  const [first, second] = ['{tag: a, literal: {value: "1"}}', '{tag: a, literal: {value: "2"}}'];
  t.same(tags(first, '{tag: b, literal: {value: "3"}}', second).value, [
    { tag: 'a', source: { kind: 'literal', value: '1' } },
    { tag: 'b', source: { kind: 'literal', value: '3' } },
  ]);
});

t.test('a tag cannot pass for what the proxy itself says of callers and choices', async (t) => {
  for (const name of ['trust.peer_id', 'trust.x', 'sampling.reason']) {
    t.matchOnly(tags(`{tag: ${name}, request_header: {name: x}}`).problems, [
      /^custom_tags\[0\]\.tag: .* are the proxy's own/,
    ]);
  }
  t.same(tags('{tag: trusted, literal: {value: "1"}}').problems, []);
});

t.test('what cannot be written is a problem at its field', async (t) => {
  t.matchOnly(tags('{tag: a, value: "%NOPE%"}').problems, [
    /^custom_tags\[0\]\.value: %NOPE% is not a supported command/,
  ]);
  t.matchOnly(tags('{tag: a, value: "1", value_type: INT}').problems, [
    /^custom_tags\[0\]\.value_type: value_type: "INT" is not supported; values of tags are text/,
  ]);
  t.matchOnly(tags('{tag: a, metadata: {kind: {request: {}}}}').problems, [
    /^custom_tags\[0\]\.metadata\.metadata_key: metadata_key is required/,
  ]);
  t.matchOnly(tags('{tag: a}').problems, [/^custom_tags\[0\]: one of literal, environment.*, value is required/]);
});
