import fc from 'fast-check';
import t from 'tap';
import { redact } from '../../../proxy/admin/redaction.ts';

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

t.test('a document without sensitive fields is copied as it is', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.strictSame(JSON.stringify(redact(value)), JSON.stringify(value));
    }),
    { numRuns: 50 },
  );
  t.end();
});
