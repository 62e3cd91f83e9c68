import fc from 'fast-check';
import t from 'tap';
import { messageTexts } from '../../../xds/generated/descriptors.ts';
import { messageDescriptor } from '../../../xds/message/message-descriptor.ts';
import { readProtoJson } from '../../../xds/message/proto-json.ts';
import { messageOf, treeOf } from '../../support/config-fixtures.ts';
import { noFields } from '../../support/empty-patterns.ts';

const cluster = 'envoy.config.cluster.v3.Cluster';
const node = 'envoy.config.core.v3.Node';
const filter = 'envoy.config.listener.v3.Filter';

function problemsOf(typeName: string, yaml: string): readonly string[] {
  const { problems, unknownFields } = readProtoJson(treeOf(yaml), typeName);
  return [...problems, ...unknownFields].map(({ path, message }) => `${path}: ${message}`);
}

t.test('both spellings of a field are one field', async (t) => {
  t.same(messageOf(cluster, '{connect_timeout: 1s, altStatName: a}'), { connectTimeout: 1000, altStatName: 'a' });
  const options = 'envoy.config.core.v3.Http1ProtocolOptions';
  t.same(messageOf(options, '{acceptHttp10: true}'), messageOf(options, '{accept_http_10: true}'), 'digits too');
  t.match(problemsOf(cluster, '{connect_timeout: 1s, connectTimeout: 1s}')[0], /^connectTimeout: .*given twice/);
});

t.test('null is absent, and so is the default of a field without presence', async (t) => {
  t.same(messageOf(cluster, '{name: null, alt_stat_name: "", respect_dns_ttl: false, lb_policy: ROUND_ROBIN}'), {});
  t.same(messageOf(cluster, '{dns_resolvers: [], typed_extension_protocol_options: {}}'), {});
  t.same(messageOf(cluster, '{wait_for_warm_on_init: false}'), { waitForWarmOnInit: false }, 'wrappers have presence');
  t.same(messageOf(cluster, '{type: STATIC}'), { type: 'STATIC' }, 'members of a oneof have presence');
});

t.test('enums are read by name and by number, and what is none of them is refused with the likely name', async (t) => {
  t.same(messageOf(cluster, '{lb_policy: RANDOM}'), messageOf(cluster, '{lb_policy: 3}'));
  t.same(problemsOf(cluster, '{lb_policy: RAMDOM}'), [
    'lb_policy: "RAMDOM" is not a value of this field; did you mean RANDOM?',
  ]);
  t.match(problemsOf(cluster, '{lb_policy: 99}')[0], /99 is not a value of this field; expected one of ROUND_ROBIN, /);
});

t.test('what stands where a key or a password belongs is not repeated', async (t) => {
  const secret = 'envoy.extensions.transport_sockets.tls.v3.Secret';
  for (const text of [
    '{tls_certificate: {private_key: HIDDEN, password: {inline_bytes: "HIDDEN!"}}}',
    '{tlsCertificate: {privateKey: {inlineBytes: "HIDDEN!"}}}',
    '{session_ticket_keys: HIDDEN}',
    '{genericSecret: HIDDEN}',
    '{generic_secret: {secret: HIDDEN}}',
  ]) {
    const problems = problemsOf(secret, text);
    t.match(problems[0], /something else/, text);
    t.notMatch(problems.join('\n'), /HIDDEN/, text);
  }
});

t.test('only one member of a oneof may be set', async (t) => {
  const match = 'envoy.config.route.v3.RouteMatch';
  t.same(problemsOf(match, '{prefix: /, path: /a}'), ['path: only one of prefix and path may be set']);
  t.same(problemsOf(match, '{prefix: /, path: null}'), []);
});

t.test('unknown fields are named with the field that was probably meant, in the spelling used', async (t) => {
  t.same(problemsOf(cluster, '{conect_timeout: 1s}'), [
    `conect_timeout: unknown field of ${cluster}; did you mean \`connect_timeout\`?`,
  ]);
  t.match(problemsOf(cluster, '{conectTimeout: 1s}')[0], /did you mean `connectTimeout`/);
  t.same(problemsOf(cluster, '{zzz: 1}'), [`zzz: unknown field of ${cluster}`]);
  t.same(problemsOf(node, '{"@type": x}'), [`@type: unknown field of ${node}`], '@type belongs to Any only');
});

t.test('a value of the wrong kind is named with its path and what would be right', async (t) => {
  const rows: readonly [yaml: string, problem: string][] = [
    ['{name: 5}', 'name: expected text (numbers and true or false need quotes), got 5'],
    [
      '{connect_timeout: 5}',
      'connect_timeout: expected a duration in seconds such as "1.5s", got 5; did you mean "5s"?',
    ],
    ['{dns_resolvers: {}}', 'dns_resolvers: expected a list, got an object'],
    ['{load_assignment: [1]}', 'load_assignment: expected an object, got a list'],
    [
      '{load_assignment: {endpoints: [{priority: x}]}}',
      'load_assignment.endpoints[0].priority: expected a whole number from 0 to 4294967295, got "x"',
    ],
    [
      '{typed_extension_protocol_options: {a.b: 1}}',
      'typed_extension_protocol_options["a.b"]: expected an object with "@type", the type URL of its message',
    ],
  ];
  for (const [yaml, problem] of rows) t.same(problemsOf(cluster, yaml), [problem]);
  t.same(problemsOf(cluster, '[]'), [': expected an object, got a list']);
});

t.test('a bad element keeps the places of those after it', async (t) => {
  const { message } = readProtoJson(treeOf('{dns_resolvers: [5, {pipe: {path: /a}}]}'), cluster);
  t.same(message, { dnsResolvers: [{}, { pipe: { path: '/a' } }] });
});

t.test('Struct, Value and ListValue are JSON as it is', async (t) => {
  const metadata = { a: [1, null, { b: 'c' }], d: true };
  t.same(readProtoJson({ metadata }, node).message, { metadata });
  t.match(problemsOf(node, '{metadata: 5}')[0], /^metadata: expected an object, got 5/);
  t.match(problemsOf(node, '{metadata: {a: .nan}}')[0], /not finite/);
});

t.test('an Any is its message, by the type after the last slash', async (t) => {
  t.same(messageOf(filter, '{typed_config: {"@type": type.googleapis.com/envoy.config.core.v3.Pipe, path: /a}}'), {
    typedConfig: {
      typeUrl: 'type.googleapis.com/envoy.config.core.v3.Pipe',
      typeName: 'envoy.config.core.v3.Pipe',
      message: { path: '/a' },
    },
  });
  t.match(problemsOf(filter, '{typed_config: {"@type": envoy.config.core.v3.Pipe}}')[0], /is not a type URL/);
  t.match(problemsOf(filter, '{typed_config: {}}')[0], /@type/);
});

t.test('an Any of a type that is not known has its name and no message', async (t) => {
  const { message, problems } = readProtoJson({ typed_config: { '@type': 'a/b.C', x: 1 } }, filter);
  t.same(message, { typedConfig: { typeUrl: 'a/b.C', typeName: 'b.C' } });
  t.same(problems, []);
});

t.test('an Any of a type with a JSON form of its own has it in value', async (t) => {
  const anyOf = (json: object) => readProtoJson({ typed_config: json }, filter).message['typedConfig'];
  t.match(anyOf({ '@type': 'a/google.protobuf.Struct', value: { b: 1 } }), { message: { b: 1 } });
  t.match(anyOf({ '@type': 'a/google.protobuf.Duration', value: '1s' }), { message: 1000 });
  t.match(anyOf({ '@type': 'a/google.protobuf.Empty' }), { message: noFields });
});

t.test('a TypedStruct is the message that it stands for, and its fields are checked', async (t) => {
  for (const name of ['udpa.type.v1.TypedStruct', 'xds.type.v3.TypedStruct']) {
    const typed = `"@type": type.googleapis.com/${name}, type_url: a/envoy.config.core.v3.Pipe`;
    t.match(messageOf(filter, `{typed_config: {${typed}, value: {path: /a}}}`), {
      typedConfig: { typeName: 'envoy.config.core.v3.Pipe', message: { path: '/a' } },
    });
    t.match(
      problemsOf(filter, `{typed_config: {${typed}, value: {pth: /a}}}`)[0],
      /^typed_config\.value\.pth: unknown/,
    );
    t.match(problemsOf(filter, `{typed_config: {"@type": a/${name}}}`)[0], /expected type_url/);
  }
});

t.test('nesting has an end', async (t) => {
  // Deeper than documents may be, which have fewer levels.
  let deep: unknown = {};
  for (let level = 0; level < 101; level++) deep = { and_filter: { filters: [deep] } };
  const { problems } = readProtoJson(deep, 'envoy.config.accesslog.v3.AccessLogFilter');
  t.match(problems[0]!.message, /nested deeper than 100 levels/);
});

t.test('no JSON makes reading throw, and every message has known keys only', async (t) => {
  const names = Object.keys(messageTexts);
  const keys = fc.oneof(
    fc.constantFrom(...names.flatMap((name) => messageDescriptor(name)!.fields.map((field) => field.name))),
    fc.constantFrom('@type', '__proto__', 'constructor'),
    fc.string(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.dictionary(keys, tie('tree')),
      fc.array(tie('tree')),
    ),
  }));
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.dictionary(keys, tree), (name, json) => {
      const { message } = readProtoJson(json, name);
      const known = new Set(messageDescriptor(name)!.fields.map((field) => field.key));
      return Object.keys(message).every((key) => known.has(key));
    }),
    { numRuns: 500 },
  );
  t.pass();
});
