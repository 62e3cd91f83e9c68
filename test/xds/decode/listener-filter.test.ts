import t from 'tap';
import type { InspectorFilter } from '../../../config/listener.ts';
import { decodeListenerFilters } from '../../../xds/decode/listener-filter.ts';
import type { Listener } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const decode = (fields: string) =>
  decodedAs('envoy.config.listener.v3.Listener', `{${fields}}`, (message: Listener, problems) =>
    decodeListenerFilters(message, problems.at('listener_filters')),
  );
const typed = (type: string, fields = '') =>
  `typed_config: {"@type": a/envoy.extensions.filters.listener.${type}, ${fields}}`;
const filters = (...each: readonly string[]) =>
  decode(`listener_filters: [${each.map((fields) => `{name: f, ${fields}}`).join(', ')}]`);
const tls = (fields = '') => typed('tls_inspector.v3.TlsInspector', fields);
const http = typed('http_inspector.v3.HttpInspector');
const originalDst = typed('original_dst.v3.OriginalDst');

t.test('filters keep their order, and inspectors have defaults', async (t) => {
  t.same(filters(originalDst, tls(), http), {
    value: [
      { kind: 'original-dst' },
      { kind: 'tls-inspector', maxClientHelloBytes: 65_536, closesOnParsingErrors: false },
      { kind: 'http-inspector' },
    ],
    problems: [],
  });
});

t.test('use_original_dst brings its filter along', async (t) => {
  t.same(decode('use_original_dst: true').value, [{ kind: 'original-dst' }]);
  t.same(decode('').value, []);
});

t.test('what a TLS inspector sets', async (t) => {
  const set = 'close_connection_on_client_hello_parsing_errors: true, max_client_hello_size: 256';
  t.match(filters(tls(set)).value, onlyItems({ maxClientHelloBytes: 256, closesOnParsingErrors: true }));
  t.same(filters(tls('initial_read_buffer_size: 512, enable_ja3_fingerprinting: false')).problems, []);
  t.matchOnly(filters(tls('max_client_hello_size: 16385')).problems, [/max_client_hello_size: must be at most 16384/]);
  t.matchOnly(filters(tls('initial_read_buffer_size: 255')).problems, [
    /initial_read_buffer_size: must be more than 255/,
  ]);
  for (const field of ['enable_ja3_fingerprinting', 'enable_ja4_fingerprinting']) {
    t.matchOnly(filters(tls(`${field}: true`)).problems, [new RegExp(`${field}: true is not supported`)]);
  }
});

t.test('a filter may be off for some ports', async (t) => {
  const disabled = (rule: string) => {
    const { value, problems } = filters(`${http}, filter_disabled: {${rule}}`);
    t.same(problems, []);
    return (value[0] as InspectorFilter).disabledFor;
  };
  const port = (start: number, end: number) => `destination_port_range: {start: ${start}, end: ${end}}`;
  t.same(disabled('any_match: true'), { kind: 'any' });
  t.same(disabled(port(80, 81)), { kind: 'destination-port', firstPort: 80, endPort: 81 });
  t.same(disabled(`not_match: {${port(1, 2)}}`), {
    kind: 'not',
    rule: { kind: 'destination-port', firstPort: 1, endPort: 2 },
  });
  for (const kind of ['or', 'and'] as const) {
    t.same(disabled(`${kind}_match: {rules: [{${port(1, 2)}}, {any_match: true}]}`), {
      kind,
      rules: [{ kind: 'destination-port', firstPort: 1, endPort: 2 }, { kind: 'any' }],
    });
  }
});

t.test('a predicate without a rule, or a set of one, is a problem', async (t) => {
  t.matchOnly(filters(`${http}, filter_disabled: {}`).problems, [/filter_disabled: one of or_match/]);
  t.matchOnly(filters(`${http}, filter_disabled: {or_match: {rules: [{any_match: true}]}}`).problems, [
    /or_match\.rules: must have at least 2/,
  ]);
});

t.test('the original destination is looked up for every connection', async (t) => {
  t.matchOnly(filters(`${originalDst}, filter_disabled: {any_match: true}`).problems, [
    /filter_disabled: filter_disabled of original_dst is not supported/,
  ]);
});

t.test('the PROXY protocol is read as far as it says whose a connection is', async (t) => {
  const type = 'proxy_protocol.v3.ProxyProtocol';
  const plain = { kind: 'proxy-protocol', allowsAbsence: false, disallowedVersions: [] };
  t.same(filters(typed(type)), { value: [plain], problems: [] });
  t.same(filters(typed(type, 'allow_requests_without_proxy_protocol: true, disallowed_versions: [V2]')).value, [
    { ...plain, allowsAbsence: true, disallowedVersions: [2] },
  ]);
  t.matchOnly(filters(typed(type, 'rules: [{tlv_type: 2}]')).problems, [/rules is not supported/]);
  t.matchOnly(filters(typed(type, 'pass_through_tlvs: {}')).problems, [/pass_through_tlvs is not supported/]);
});

t.test('filters that change what a connection is are refused with words', async (t) => {
  t.matchOnly(filters(typed('original_src.v3.OriginalSrc'), typed('local_ratelimit.v3.LocalRateLimit')).problems, [
    /^listener_filters\[0\]\.typed_config: listener filter .*OriginalSrc is not supported; endpoints see/,
    /^listener_filters\[1\]\.typed_config: listener filter .*LocalRateLimit is not supported; limit connections/,
  ]);
  t.matchOnly(filters('typed_config: {"@type": a/no.Such}').problems, [/listener filter a\/no\.Such is not supported/]);
});
