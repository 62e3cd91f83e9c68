import fc from 'fast-check';
import t from 'tap';
import {
  type EntryNames,
  writeEntry,
  writeIdentifier,
  writeMessage,
} from '../../../proxy/export/access-log-message.ts';
import { responseFlagNames } from '../../../proxy/http/stream-info.ts';
import type { CommonFacts, EntryFacts, HttpFacts } from '../../../proxy/telemetry/access-log-entry.ts';
import { decodeAccessLogMessage, type Entry } from '../../support/access-log-collector.ts';

const names: EntryNames = { customTags: [], requestHeaders: [], responseHeaders: [], responseTrailers: [] };
const nothing = new Uint8Array();

const common: CommonFacts = [
  Date.UTC(2026, 10, 21) + 7.5,
  [1000, -1, 0, 2_500_000, -1, -1, 3],
  2_500_001,
  '10.0.0.3:51234',
  '[fd00::2]:80',
  '10.0.0.4:0',
  '/run/app.sock',
  '',
  'app',
  'all',
  0,
  2,
  'refused',
  '',
  'id-1',
  [10, 20],
  [0, 40],
  null,
  [],
  null,
  null,
];
const http: HttpFacts = [
  'HTTP/1.1',
  'PATCH',
  'http',
  'shop.example',
  '/a',
  '/b',
  'curl',
  'from',
  '10.1.1.1',
  'id-1',
  [100, 12, 58],
  [],
  503,
  'no_healthy_upstream',
  [90, 19, 98],
  [],
  [],
];

function replaced<T extends readonly unknown[]>(facts: T, at: number, value: unknown): T {
  return facts.toSpliced(at, 1, value) as unknown as T;
}

function decode(facts: EntryFacts, entryNames = names): Entry {
  const kind = facts[1] === null ? 'tcp-entries' : 'http-entries';
  const message = decodeAccessLogMessage(writeMessage(nothing, kind, [writeEntry(facts, entryNames)]));
  const entries = (message[facts[1] === null ? 'tcp_logs' : 'http_logs'] as { log_entry: Entry[] }).log_entry;
  return entries[0]!;
}

const address = (ip: string, port: number) => ({ socket_address: { address: ip, port_value: port } });

t.test('the facts of a request are where the proto files have them, and what is not known is not there', async (t) => {
  t.strictSame(plain(decode([common, http])), {
    common_properties: {
      downstream_remote_address: address('10.0.0.3', 51_234),
      downstream_local_address: address('fd00::2', 80),
      start_time: { seconds: Date.UTC(2026, 10, 21) / 1000, nanos: 7_500_000 },
      time_to_last_rx_byte: { nanos: 1_000_000 },
      time_to_last_upstream_tx_byte: {},
      time_to_first_upstream_rx_byte: { seconds: 2, nanos: 500_000_000 },
      time_to_last_downstream_tx_byte: { nanos: 3000 },
      upstream_remote_address: { pipe: { path: '/run/app.sock' } },
      upstream_cluster: 'app',
      upstream_transport_failure_reason: 'refused',
      route_name: 'all',
      downstream_direct_remote_address: address('10.0.0.4', 0),
      duration: { seconds: 2, nanos: 500_001_000 },
      upstream_request_attempt_count: 2,
      stream_id: 'id-1',
      downstream_wire_bytes_sent: 10,
      downstream_wire_bytes_received: 20,
      upstream_wire_bytes_received: 40,
      access_log_type: 'DownstreamEnd',
    },
    protocol_version: 'HTTP11',
    request: {
      request_method: 'PATCH',
      scheme: 'http',
      authority: 'shop.example',
      path: '/a',
      user_agent: 'curl',
      referer: 'from',
      forwarded_for: '10.1.1.1',
      request_id: 'id-1',
      original_path: '/b',
      request_headers_bytes: 100,
      request_body_bytes: 12,
      downstream_header_bytes_received: 58,
    },
    response: {
      response_code: { value: 503 },
      response_headers_bytes: 90,
      response_body_bytes: 19,
      response_code_details: 'no_healthy_upstream',
      downstream_header_bytes_sent: 98,
    },
  });
});

t.test('a connection has its bytes, and says whether it has ended', async (t) => {
  const ended = decode([common, null]);
  t.strictSame(plain(ended['connection_properties']), { received_bytes: 20, sent_bytes: 10 });
  t.equal((ended['common_properties'] as Entry)['access_log_type'], 'TcpConnectionEnd');
  const open = decode([replaced(common, 2, -1), null])['common_properties'] as Entry;
  t.equal(open['access_log_type'], 'TcpPeriodic');
  t.notOk('duration' in open);
});

t.test('every response flag has a field of its own', async (t) => {
  const fields = new Set<string>();
  for (const { bit, long } of responseFlagNames) {
    const flags = (decode([replaced(common, 10, bit), http])['common_properties'] as Entry)['response_flags'] as Entry;
    t.equal(Object.keys(flags).length, 1, long);
    fields.add(Object.keys(flags)[0]!);
  }
  t.equal(fields.size, responseFlagNames.length);
  t.ok(fields.has('no_healthy_upstream'));
});

t.test('headers, trailers and tags have their names, the trace is among the tags', async (t) => {
  const facts: EntryFacts = [
    replaced(replaced(common, 18, ['v', null]), 19, ['ab', 'cd', 'head']),
    replaced(replaced(replaced(http, 11, ['1,2', null]), 15, ['x']), 16, ['y']),
  ];
  const entry = decode(facts, {
    customTags: [{ tag: 'lit' }, { tag: 'none' }],
    requestHeaders: ['x-a', 'x-none'],
    responseHeaders: ['x-b'],
    responseTrailers: ['x-t'],
  });
  const tags = { lit: 'v', trace_id: 'ab', span_id: 'cd', sampling_reason: 'head' };
  t.strictSame(plain((entry['common_properties'] as Entry)['custom_tags']), tags);
  t.strictSame(plain((entry['request'] as Entry)['request_headers']), { 'x-a': '1,2' });
  t.strictSame(plain((entry['response'] as Entry)['response_headers']), { 'x-b': 'x' });
  t.strictSame(plain((entry['response'] as Entry)['response_trailers']), { 'x-t': 'y' });
  const named: EntryFacts = [replaced(replaced(common, 18, ['own']), 19, ['ab', 'cd', '']), http];
  const ownTags = decode(named, { ...names, customTags: [{ tag: 'trace_id' }] })['common_properties'] as Entry;
  t.strictSame(plain(ownTags['custom_tags']), { trace_id: 'own', span_id: 'cd' });
});

t.test('metadata of filters is a struct by namespace', async (t) => {
  const metadata = { filter: { text: 'a', number: 1.5, on: true, off: null, list: ['b', 2], map: { c: 'd' } } };
  const properties = decode([replaced(common, 17, metadata), http])['common_properties'] as Entry;
  t.strictSame(plain(properties['metadata']), {
    filter_metadata: {
      filter: {
        fields: {
          text: { stringValue: 'a' },
          number: { numberValue: 1.5 },
          on: { boolValue: true },
          off: { nullValue: 'NULL_VALUE' },
          list: { listValue: { values: [{ stringValue: 'b' }, { numberValue: 2 }] } },
          map: { structValue: { fields: { c: { stringValue: 'd' } } } },
        },
      },
    },
  });
});

t.test('any bytes of a peer make a message that can be read', async (t) => {
  const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
  fc.assert(
    fc.property(bytes, bytes, fc.integer({ min: 0, max: 2 ** 40 }), (path, header, sent) => {
      const facts: EntryFacts = [replaced(common, 15, [sent, 0]), replaced(replaced(http, 4, path), 11, [header])];
      const entry = decode(facts, { ...names, requestHeaders: ['x-a'] });
      const request = entry['request'] as Entry;
      t.equal(request['path'] ?? '', Buffer.from(path, 'latin1').toString('utf8'));
      t.equal((request['request_headers'] as Entry)['x-a'], Buffer.from(header, 'latin1').toString('utf8'));
      t.equal((entry['common_properties'] as Entry)['downstream_wire_bytes_sent'] ?? 0, sent);
    }),
    { numRuns: 200 },
  );
});

t.test('the first message of a stream tells who we are, every message has all its entries', async (t) => {
  const node = Buffer.from([0x0a, 0x02, 0x6e, 0x31]);
  const entry = writeEntry([common, http], names);
  const many = Array.from({ length: 300 }, () => entry);
  const message = decodeAccessLogMessage(writeMessage(writeIdentifier(node, 'log'), 'http-entries', many));
  t.strictSame(plain(message['identifier']), { node: { id: 'n1' }, log_name: 'log' });
  t.equal((message['http_logs'] as { log_entry: Entry[] }).log_entry.length, 300);
});

/** Without the prototypes of the library. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

t.test('the TLS of a client is told with both certificates', async (t) => {
  const own = [['spiffe://t/b'], [], 'CN=b', 'CN=ca'] as const;
  const peer = [['spiffe://t/a'], ['a.test', 'b.test'], '', ''] as const;
  const tls = [4, 0x1301, 'shop.example', own, peer, 'ab12'] as const;
  const entry = decode([replaced(common, 20, tls), http]) as { common_properties: { tls_properties: unknown } };
  t.strictSame(plain(entry.common_properties.tls_properties), {
    tls_version: 'TLSv1_3',
    tls_cipher_suite: { value: 0x1301 },
    tls_sni_hostname: 'shop.example',
    local_certificate_properties: { subject_alt_name: [{ uri: 'spiffe://t/b' }], subject: 'CN=b', issuer: 'CN=ca' },
    peer_certificate_properties: {
      subject_alt_name: [{ uri: 'spiffe://t/a' }, { dns: 'a.test' }, { dns: 'b.test' }],
    },
    tls_session_id: 'ab12',
  });
  const bare = decode([replaced(common, 20, [3, 0, '', null, null, '']), http]) as typeof entry;
  t.strictSame(plain(bare.common_properties.tls_properties), { tls_version: 'TLSv1_2' });
});
