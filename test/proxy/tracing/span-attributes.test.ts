import t from 'tap';
import { RequestHead } from '../../../proxy/http/message.ts';
import { ResponseFlag, StreamInfo } from '../../../proxy/http/stream-info.ts';
import { encodeAttributes, hostOf, isGrpc, shortFlags, writeTarget } from '../../../proxy/tracing/span-attributes.ts';
import { SpanWriter } from '../../../proxy/tracing/span-writer.ts';
import { attributesOf, decodeOtlp, type KeyValue } from '../../support/otlp-messages.ts';

function read(bytes: Uint8Array): Record<string, unknown> {
  return attributesOf(decodeOtlp('Span', bytes)['attributes'] as KeyValue[]);
}

t.test('constants are text of any script, empty ones are left out', async (t) => {
  t.same(
    read(
      encodeAttributes([
        ['zone', 'zürich-1'],
        ['node_id', ''],
      ]),
    ),
    { zone: 'zürich-1' },
  );
});

t.test('addresses are hosts and ports, of either family, or paths', async (t) => {
  t.same(['shop', 'shop:80', '10.0.0.1:80', '[::1]:80', '[::1]', '/run/app.sock', ''].map(hostOf), [
    'shop',
    'shop',
    '10.0.0.1',
    '::1',
    '::1',
    '/run/app.sock',
    '',
  ]);
  const targetOf = (authority: string, remote: string) => {
    const head = new RequestHead();
    head.method = 'GET';
    head.authority = authority;
    const info = new StreamInfo();
    info.downstreamDirectRemoteAddress = remote;
    const writer = new SpanWriter(8);
    writeTarget(writer, { head, info }, { maxPathTagLength: 256 });
    return read(writer.bytes.subarray(0, writer.used));
  };
  t.match(targetOf('[::1]:8443', '[fe80::1]:9'), {
    'server.address': '::1',
    'server.port': 8443,
    'network.peer.address': 'fe80::1',
    'network.peer.port': 9,
  });
  t.notOk('server.port' in targetOf('[::1]', '/run/a.sock'));
  t.notOk('server.port' in targetOf('shop:no', ''));
});

t.test("flags have Envoy's short names, gRPC is known by its content type", async (t) => {
  t.equal(shortFlags(0), '-');
  t.equal(shortFlags(ResponseFlag.upstreamOverflow | ResponseFlag.upstreamRetryLimitExceeded), 'UO,URX');
  const typed = (value: string) => {
    const head = new RequestHead();
    if (value !== '') head.headers.append('content-type', value);
    return isGrpc(head);
  };
  t.same(['application/grpc', 'application/grpc+proto', 'application/json', 'application/grp', ''].map(typed), [
    true,
    true,
    false,
    false,
    false,
  ]);
});

t.test("the id that a client gave its trace is told beside the request's, and the caller's cluster", async (t) => {
  const head = new RequestHead();
  head.method = 'GET';
  head.headers.append('x-client-trace-id', 'mine');
  head.headers.append('x-envoy-downstream-service-cluster', 'web');
  const writer = new SpanWriter(8);
  writeTarget(writer, { head, info: new StreamInfo() }, { maxPathTagLength: 8 });
  t.match(read(writer.bytes.subarray(0, writer.used)), {
    'guid:x-client-trace-id': 'mine',
    downstream_cluster: 'web',
  });
});
