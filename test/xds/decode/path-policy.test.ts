import t from 'tap';
import type { RequestHead } from '../../../proxy/http/message.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { PathMatch } from '../../../proxy/route/path-match.ts';
import { compilePathRewrite } from '../../../proxy/route/path-rewrite.ts';
import { decodePathMatchPolicy, decodePathRewritePolicy } from '../../../xds/decode/path-policy.ts';
import type { TypedExtensionConfig } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const decoded = <T>(fields: string, decode: Parameters<typeof decodedAs<TypedExtensionConfig, T>>[2]) =>
  decodedAs('envoy.config.core.v3.TypedExtensionConfig', `{name: n, typed_config: {"@type": t/${fields}}}`, decode);
const match = 'envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: ';
const rewrite = 'envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig, path_template_rewrite: ';
const policyOf = (template: string) => decoded(`${match}"${template}"`, (message) => message).value;
const rewriteOf = (text: string, template?: string) =>
  decoded(`${rewrite}"${text}"`, (message, problems) =>
    decodePathRewritePolicy(message, template === undefined ? undefined : policyOf(template), problems),
  );

t.test('a route of a template rewrites by its variables, and keeps the query', async (t) => {
  const { value: template } = decoded(`${match}"/v/{id}/{rest=**}"`, decodePathMatchPolicy);
  const path = new PathMatch({ kind: 'regex', regex: template!.regex }, true);
  t.same(
    ['/v/1/', '/v/1/a/b', '/v//a', '/x/v/1/'].map((each) => path.matches(each)),
    [true, true, false, false],
  );
  const { value, problems } = rewriteOf('/{rest}/of{id}', '/v/{id}/{rest=**}');
  t.same(problems, []);
  const compiled = compilePathRewrite(value!, path);
  t.equal(compiled('/v/7/a/b?q=/v/1/', {} as RequestHead, new StreamInfo()), '/a/b/of7?q=/v/1/');
});

t.test('problems', async (t) => {
  t.matchOnly(rewriteOf('/a').problems, [/^: it needs a path_match_policy of the route/]);
  t.matchOnly(rewriteOf('/{b}', '/{a}').problems, [
    /^typed_config\.path_template_rewrite: .* the match has no variable b$/,
  ]);
  t.same(rewriteOf('/{b}', 'a'), { value: undefined, problems: [] }, 'what is wrong with the match is told there');
  t.matchOnly(decoded(`${match}a`, decodePathMatchPolicy).problems, [
    /^typed_config\.path_template: .* it begins with \/$/,
  ]);
  const other = decoded('envoy.extensions.filters.http.router.v3.Router', decodePathMatchPolicy);
  t.match(other.problems.join('\n'), /^typed_config: path matcher .*Router is not supported/);
});
