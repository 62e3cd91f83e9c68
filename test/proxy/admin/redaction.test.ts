import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { redact } from '../../../proxy/admin/redaction.ts';
import { readProtoJson } from '../../../xds/message/proto-json.ts';

t.test('every value below a sensitive field is replaced, the rest is the same', (t) => {
  t.strictSame(
    redact({ a: [1, { private_key: { filename: 'f', list: [1, null] } }], sessionTicketKeys: { keys: ['k'] } }),
    {
      a: [1, { private_key: { filename: '[redacted]', list: ['[redacted]', '[redacted]'] } }],
      sessionTicketKeys: { keys: ['[redacted]'] },
    },
  );
  t.end();
});

t.test('so are values of headers that calls of our own bring along, and not their names', (t) => {
  const headers = (value: string) => [{ header: { key: 'x-token', value } }];
  const service = (value: string) => ({
    http_uri: { uri: '/x', cluster: 'c' },
    request_headers_to_add: headers(value),
  });
  const document = (value: string) => ({
    grpc_service: { envoy_grpc: { cluster_name: 'c' }, initial_metadata: [{ key: 'authorization', value }] },
    httpService: service(value),
    collector_service: service(value),
    route: { request_headers_to_add: headers('shown') },
  });
  t.strictSame(redact(document('secret')), document('[redacted]'));
  t.end();
});

t.test('so are all credentials of calls to Google: what is refused is shown, too', (t) => {
  const document = (value: string) => ({
    call_credentials: [
      { access_token: value },
      { google_refresh_token: value },
      { service_account_jwt_access: { json_key: value } },
      { google_iam: { authorization_token: value, authority_selector: 'shown' } },
    ],
  });
  t.strictSame(redact(document('secret')), document('[redacted]'));
  t.end();
});

t.test('so are bytes that nobody here can look into, and not what is written in words', (t) => {
  const document = (value: string) => ({
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.oauth2.v3.OAuth2', value },
  });
  t.strictSame(redact(document('c2VjcmV0')), document('[redacted]'));
  const written = {
    health_checks: [{ timeout: '1s', http_health_check: { path: '/' } }],
    of: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'shown' },
    typed: { '@type': 'type.googleapis.com/xds.type.v3.TypedStruct', value: { a: 'shown', password: 1 } },
  };
  t.strictSame(redact(written), {
    ...written,
    typed: { ...written.typed, value: { a: 'shown', password: '[redacted]' } },
  });
  t.end();
});

t.test('what is left is read as the same message: bytes are base64, an Any has its type', (t) => {
  const type = 'envoy.extensions.transport_sockets.tls.v3.Secret';
  const provider = { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'hush' };
  const documents = [
    { name: 'a', tls_certificate: { private_key: { inline_bytes: 'aHVzaA==' }, password: { inline_string: 'hush' } } },
    { name: 'b', tlsCertificate: { privateKey: { inlineBytes: 'aHVzaA==' } } },
    { name: 'c', session_ticket_keys: { keys: [{ inline_bytes: 'aHVzaA==' }, { filename: 'hush' }] } },
    { name: 'd', generic_secret: { secret: { inline_bytes: 'aHVzaA==' } } },
    { name: 'e', tls_certificate: { pkcs12: { inline_bytes: 'aHVzaA==' } } },
  ];
  for (const document of documents) {
    const shown = redact(document);
    t.notMatch(JSON.stringify(shown), /hush|aHVzaA/);
    const { problems, unknownFields } = readProtoJson(shown, type);
    t.same([...problems, ...unknownFields], [], document.name);
  }
  const metadata = { initial_metadata: [{ key: 'k', value: 'hush', raw_value: 'aHVzaA==' }] };
  t.strictSame(redact(metadata), {
    initial_metadata: [{ key: 'k', value: '[redacted]', raw_value: 'W3JlZGFjdGVkXQ==' }],
  });
  t.strictSame(redact({ private_key_provider: { typed_config: provider } }), {
    private_key_provider: { typed_config: { ...provider, value: '[redacted]' } },
  });
  t.end();
});

t.test('a document without sensitive fields is copied as it is', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.strictSame(JSON.stringify(redact(value)), JSON.stringify(value));
    }),
    { numRuns: 50 },
  );
  t.end();
});

// A Struct or a TypedStruct may have the fields of any message, known here or not.
const protos = join(import.meta.dirname, '../../../node_modules/@grpc/grpc-js-xds/deps/envoy-api/envoy');

/** Those that are called as many others are, by the field that their message stands in. */
const within = new Map([
  ['keys', 'session_ticket_keys'],
  ['secret', 'generic_secret'],
  ['typed_config', 'private_key_provider'],
]);

function sensitiveFields(): ReadonlySet<string> {
  const files = readdirSync(protos, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.proto'));
  const fields = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(protos, file), 'utf8');
    for (const [, field] of text.matchAll(/(\w+) = \d+\s*\[[^\]]*\(udpa\.annotations\.sensitive\) = true/g))
      fields.add(field!);
  }
  return fields;
}

t.test('every field that is marked as sensitive is redacted, as text, as a source of data and as a list', async (t) => {
  const fields = sensitiveFields();
  t.ok(fields.size > 10 && fields.has('private_key'), [...fields].join(' '));
  for (const field of fields) {
    const outer = within.get(field);
    const document = (value: string) => {
      const message = { [field]: [value, { inline_string: value }, { inline_bytes: value, of: [value] }] };
      return outer === undefined ? message : { [outer]: message };
    };
    const shown = JSON.stringify(redact(document('hush'))).replaceAll('W3JlZGFjdGVkXQ==', '[redacted]');
    t.strictSame(JSON.parse(shown), document('[redacted]'), field);
  }
});
