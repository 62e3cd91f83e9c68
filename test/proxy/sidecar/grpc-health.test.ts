import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { checkGrpcHealth, SERVING } from '../../../proxy/sidecar/grpc-health.ts';

async function startHealth(t: Test, answer: (name: string) => Buffer | undefined): Promise<number> {
  const server = new Server();
  const bytes = (value: Buffer) => value;
  const codec = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const method = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    ...codec,
  } as const;
  server.addService(
    { Check: method },
    {
      Check: ({ request }: { request: Buffer }, callback: (error: object | null, answer?: Buffer) => void) => {
        const found = answer(nameOf(request));
        if (found === undefined)
          callback({ code: status.NOT_FOUND, details: 'no such service: é', metadata: new Metadata() });
        else callback(null, found);
      },
    },
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  t.teardown(() => server.forceShutdown());
  return promise;
}

/** Field 1, as protobuf has it. */
function nameOf(request: Buffer): string {
  if (request.length === 0) return '';
  const lengthBytes = request[1]! < 128 ? 1 : 2;
  return request.subarray(1 + lengthBytes).toString();
}

const whole = { host: '127.0.0.1', source: undefined, service: '', timeoutMs: 5000 };

t.test('the status of a service, by its name', async (t) => {
  const long = 'a'.repeat(300);
  const answers = new Map([
    ['', Buffer.from([0x08, 1])],
    [long, Buffer.from([0x08, 1])],
    ['down', Buffer.from([0x08, 2])],
    ['unknown', Buffer.alloc(0)],
  ]);
  const port = await startHealth(t, (name) => answers.get(name));
  const ask = (service: string) => checkGrpcHealth({ ...whole, port, service });
  t.same(await ask(''), { kind: 'status', status: SERVING });
  t.same(await ask(long), { kind: 'status', status: SERVING });
  t.same(await ask('down'), { kind: 'status', status: 2 });
  t.same(await ask('unknown'), { kind: 'status', status: 0 });
  t.same(await ask('other'), { kind: 'failed', reason: 'no such service: é' });
});

t.test('it is asked from the address that is said', async (t) => {
  const sources: (string | undefined)[] = [];
  const server = createHttp2Server();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.on('stream', (stream) => {
    sources.push(stream.session?.socket.remoteAddress);
    stream.respond({ ':status': 200, 'grpc-status': '0' }, { endStream: true });
  });
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  t.same(await checkGrpcHealth({ ...whole, port, source: '127.0.0.6' }), { kind: 'status', status: 0 });
  t.same(sources, ['127.0.0.6']);
});

t.test('what is no health service fails, and says how', async (t) => {
  t.match(await checkGrpcHealth({ ...whole, port: 1 }), { kind: 'failed', reason: /ECONNREFUSED/ });
  const silent = createServer(() => undefined);
  const answering = createHttp2Server();
  answering.on('stream', (stream, headers) => {
    if (String(headers[':path']).endsWith('Check')) stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(1 << 20));
  });
  const missing = createHttp2Server((_request, response) => response.writeHead(404).end());
  const ports: number[] = [];
  for (const server of [silent, answering, missing]) {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    t.teardown(() => server.close());
    ports.push((server.address() as AddressInfo).port);
  }
  const [silentPort, endlessPort, missingPort] = ports as [number, number, number];
  t.match(await checkGrpcHealth({ ...whole, port: silentPort, timeoutMs: 50 }), { reason: 'no answer within 50 ms' });
  t.match(await checkGrpcHealth({ ...whole, port: endlessPort }), { reason: 'its answer is too long' });
  t.match(await checkGrpcHealth({ ...whole, port: missingPort }), { reason: 'it answered 404' });
});
