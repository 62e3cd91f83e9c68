import t from 'tap';
import { decodeLogFormat } from '../../../xds/decode/log-format.ts';
import type { SubstitutionFormatString } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const decode = (fields: string) =>
  decodedAs(
    'envoy.config.core.v3.SubstitutionFormatString',
    `{${fields}}`,
    (message: SubstitutionFormatString, problems) => decodeLogFormat(message, problems),
  );

t.test('formatters bring commands that are there in any case, others are refused', async (t) => {
  const withFormatter = (type: string) =>
    decode(
      `text_format: "%REQ_WITHOUT_QUERY(:PATH)%", formatters: [{name: f, typed_config: {"@type": a/envoy.extensions.formatter.${type}}}]`,
    );
  for (const type of ['req_without_query.v3.ReqWithoutQuery', 'metadata.v3.Metadata']) {
    const { value, problems } = withFormatter(type);
    t.same(problems, [], type);
    t.match(value, { kind: 'text', format: '%REQ_WITHOUT_QUERY(:PATH)%' });
  }
  t.match(withFormatter('cel.v3.Cel').problems.join('\n'), /formatters\[0\].*formatter a\/envoy.*Cel is not supported/);
});

t.test('a text may be written in place or come from a source', async (t) => {
  t.same(decode('text_format: "%PROTOCOL%"').value, decode('text_format_source: {inline_string: "%PROTOCOL%"}').value);
  t.match(decode('text_format_source: {inline_string: "%NO%"}').problems.join(), /text_format_source: %NO% is not/);
  t.match(decode('json_format: {a: ["%NO%"]}').problems.join(), /json_format: a.0: %NO% is not/);
});
