import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { GrpcTransport, retryDelayMs } from '../../../proxy/export/grpc-transport.ts';
import { maxAnswerBytes } from '../../../proxy/export/transport.ts';
import { plainly } from '../../support/export-fixtures.ts';

const retryInfo = 'type.googleapis.com/google.rpc.RetryInfo';

/** A bytes field of less than 128 bytes. */
const bytes = (field: number, contents: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(field << 3) | 2, contents.length]), contents]);
const detail = (type: string, value: Uint8Array): Buffer =>
  bytes(3, Buffer.concat([bytes(1, Buffer.from(type)), bytes(2, value)]));

t.test('the delay of a RetryInfo among the details of a status', (t) => {
  // 2 s and 500,000,000 ns
  const delay = bytes(1, Buffer.from([0x08, 0x02, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]));
  const other = detail('type.googleapis.com/google.rpc.ErrorInfo', bytes(1, Buffer.from('quota')));
  t.equal(retryDelayMs(Buffer.concat([Buffer.from([0x08, 0x08]), other, detail(retryInfo, delay)])), 2500);
  t.equal(retryDelayMs(detail(retryInfo, new Uint8Array())), 0, 'at once');
  t.equal(retryDelayMs(other), undefined);
  t.equal(retryDelayMs(detail(retryInfo, Buffer.from([0x0a, 0x03, 0x08]))), undefined, 'cut');
  t.equal(retryDelayMs(detail(retryInfo, bytes(1, Buffer.from([0x08, 0x02, 0x10])))), undefined, 'cut further in');
  const minusFive = Buffer.from([0x08, 0xfb, ...Array(8).fill(0xff), 0x01]);
  t.equal(retryDelayMs(detail(retryInfo, bytes(1, minusFive))), 0, 'in the past');
  t.end();
});

t.test('any details give a delay or none', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 40 }), (whole, inner) => {
      for (const details of [whole, detail(retryInfo, inner)]) {
        const delayMs = retryDelayMs(details);
        if (delayMs !== undefined && !(delayMs >= 0)) return false;
      }
      return true;
    }),
  );
  t.end();
});

t.test('a message is compressed when that is asked for', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const received = Promise.withResolvers<{ readonly encoding: unknown; readonly bytes: Buffer }>();
  server.on('stream', async (stream, headers) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    received.resolve({ encoding: headers['grpc-encoding'], bytes: Buffer.concat(chunks) });
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true });
  });
  const transport = new GrpcTransport({ method: '/a.B/C', authority: 'a', metadata: [], usesGzip: true });
  t.teardown(() => {
    transport.close();
    server.close();
  });
  const { signal } = new AbortController();
  const limits = { connectMs: 1000, answerMs: 5000, signal };
  const attempt = transport.attempt(plainly((server.address() as AddressInfo).port), Buffer.from('message'), limits);
  const { encoding, bytes } = await received.promise;
  t.equal(encoding, 'gzip');
  t.equal(bytes[0], 1, 'the flag of a compressed message');
  t.equal(gunzipSync(bytes.subarray(5)).toString(), 'message');
  // A status without a message is an error of the collector's.
  t.match(await attempt, { kind: 'refused' });
  t.same(getEventListeners(signal, 'abort'), [], 'an attempt leaves nothing at a signal that outlives it');
});

t.test('an answer that is too long is a failure in words, and no refusal', async (t) => {
  const length = maxAnswerBytes + 1;
  const head = Buffer.alloc(5);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const answers = [
    () => {
      head.writeUInt32BE(length, 1);
      return { headers: {}, status: {}, body: Buffer.concat([head, Buffer.alloc(length)]) };
    },
    () => {
      const packed = gzipSync(Buffer.alloc(length));
      head.writeUInt32BE(packed.length, 1);
      head[0] = 1;
      return { headers: { 'grpc-encoding': 'gzip' }, status: {}, body: Buffer.concat([head, packed]) };
    },
    // The collector's own limit: what was sent is too large for it.
    () => {
      const message = 'Received message larger than max (5000000 vs 4194304)';
      return { headers: {}, status: { 'grpc-status': '8', 'grpc-message': message }, body: Buffer.alloc(0) };
    },
  ];
  server.on('stream', (stream) => {
    const { headers, status, body } = answers.shift()!();
    // A client that has read enough resets the stream.
    stream.on('error', (error) => t.match(error, { code: /^ERR_HTTP2/ }));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...headers }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', ...status }));
    stream.end(body);
  });
  const transport = new GrpcTransport({ method: '/a.B/C', authority: 'a', metadata: [], usesGzip: false });
  t.teardown(() => {
    transport.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const attempt = () =>
    transport.attempt(plainly(port), new Uint8Array([1]), {
      connectMs: 60_000,
      answerMs: 60_000,
      signal: new AbortController().signal,
    });
  const tooLong = { kind: 'failed', reason: `its answer is longer than ${maxAnswerBytes} bytes` };
  t.same(await attempt(), tooLong);
  t.same(await attempt(), tooLong, 'also one that is so when it is unpacked');
  t.match(await attempt(), { kind: 'refused', reason: /5000000 vs 4194304/ });
});
