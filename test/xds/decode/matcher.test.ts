import t from 'tap';
import {
  decodeHeaderMatcher,
  decodeQueryParameterMatchers,
  decodeRuntimeFraction,
  decodeStringMatcher,
} from '../../../xds/decode/matcher.ts';
import type {
  HeaderMatcher,
  QueryParameterMatcher,
  RuntimeFractionalPercent,
  StringMatcher,
} from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const text = (yaml: string) =>
  decodedAs('envoy.type.matcher.v3.StringMatcher', yaml, (message: StringMatcher, problems) =>
    decodeStringMatcher(message, problems),
  );
const header = (yaml: string) =>
  decodedAs('envoy.config.route.v3.HeaderMatcher', yaml, (message: HeaderMatcher, problems) =>
    decodeHeaderMatcher(message, problems),
  );
const query = (yaml: string) =>
  decodedAs('envoy.config.route.v3.QueryParameterMatcher', yaml, (message: QueryParameterMatcher, problems) =>
    decodeQueryParameterMatchers([message], problems),
  );

t.test('string matchers', async (t) => {
  for (const kind of ['exact', 'prefix', 'suffix', 'contains']) {
    t.same(text(`{${kind}: A}`).value, { kind, value: 'A', ignoreCase: false });
    t.same(text(`{${kind}: A, ignore_case: true}`).value, { kind, value: 'A', ignoreCase: true });
  }
  t.same(text('{safe_regex: {regex: a+, google_re2: {}}}').value, { kind: 'regex', regex: 'a+' });
  t.same(text('{exact: ""}').value, { kind: 'exact', value: '', ignoreCase: false });
  t.same(text('{prefix: ""}').problems, ['prefix: must not be empty']);
  t.match(text('{safe_regex: {regex: "("}}').problems[0], /^safe_regex\.regex: "\(" is not an RE2/);
  t.match(text('{}').problems[0], /is required/);
});

t.test('header matchers, older spellings too', async (t) => {
  const matching = (match: string) => header(`{name: X-A, ${match}}`).value?.match;
  const exact = { kind: 'string', matcher: { kind: 'exact', value: 'a', ignoreCase: false } };
  t.same(matching('string_match: {exact: a}'), exact);
  t.same(matching('exact_match: a'), exact);
  t.match(matching('prefix_match: a'), { matcher: { kind: 'prefix' } });
  t.match(matching('suffix_match: a'), { matcher: { kind: 'suffix' } });
  t.match(matching('contains_match: a'), { matcher: { kind: 'contains' } });
  t.match(matching('safe_regex_match: {regex: a}'), { matcher: { kind: 'regex', regex: 'a' } });
  t.same(matching('range_match: {start: -1, end: 5}'), { kind: 'range', start: -1, end: 5 });
  t.same(matching('present_match: false'), { kind: 'present', present: false });
  t.same(header('{name: X-A}').value, {
    name: 'x-a',
    match: { kind: 'present', present: true },
    invert: false,
    treatMissingAsEmpty: false,
  });
  t.match(header('{name: a, invert_match: true, treat_missing_header_as_empty: true}').value, {
    invert: true,
    treatMissingAsEmpty: true,
  });
});

t.test('a wrong header matcher is named in the spelling that was used', async (t) => {
  t.match(header('{name: a, safe_regex_match: {regex: "("}}').problems[0], /^safe_regex_match\.regex: /);
  t.match(
    header('{name: a, string_match: {safe_regex: {regex: "("}}}').problems[0],
    /^string_match\.safe_regex\.regex: /,
  );
  t.match(header('{name: a b}').problems[0], /^name: "a b" is not a header name/);
});

t.test('query parameter matchers', async (t) => {
  t.same(query('{name: a}').value, [{ name: 'a', match: { kind: 'present' } }]);
  t.same(query('{name: a, present_match: true}').value, [{ name: 'a', match: { kind: 'present' } }]);
  t.match(
    query('{name: a, string_match: {exact: b}}').value,
    onlyItems({ match: { kind: 'string', matcher: { value: 'b' } } }),
  );
  t.match(query('{name: a, present_match: false}').problems[0], /present_match: false is not supported/);
});

t.test('shares of requests', async (t) => {
  const fraction = (yaml: string) =>
    decodedAs('envoy.config.core.v3.RuntimeFractionalPercent', yaml, (message: RuntimeFractionalPercent) =>
      decodeRuntimeFraction(message),
    );
  t.same(fraction('{default_value: {numerator: 5}}').value, { numerator: 5, denominator: 100 });
  t.same(fraction('{default_value: {numerator: 5, denominator: MILLION}, runtime_key: a.b}').value, {
    numerator: 5,
    denominator: 1_000_000,
    runtimeKey: 'a.b',
  });
  t.same(fraction('{}').problems, ['default_value: default_value is required']);
});
