import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { checkGrpcHealth } from '../../../proxy/sidecar/grpc-health.ts';

async function startHealth(t: Test, answer: (name: string) => Buffer | undefined): Promise<string> {
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
          callback({ code: status.NOT_FOUND, details: 'no such service', metadata: new Metadata() });
        else callback(null, found);
      },
    },
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  t.teardown(() => server.forceShutdown());
  return `127.0.0.1:${await promise}`;
}

/** Field 1, as protobuf has it. */
function nameOf(request: Buffer): string {
  if (request.length === 0) return '';
  const lengthBytes = request[1]! < 128 ? 1 : 2;
  return request.subarray(1 + lengthBytes).toString();
}

t.test('serving is healthy, and nothing else', async (t) => {
  const long = 'a'.repeat(300);
  const answers = new Map([
    ['', Buffer.from([0x08, 1])],
    [long, Buffer.from([0x08, 1])],
    ['down', Buffer.from([0x08, 2])],
    ['unknown', Buffer.alloc(0)],
  ]);
  const address = await startHealth(t, (name) => answers.get(name));
  t.match(await checkGrpcHealth(address, '', 5000), { status: 200 });
  t.match(await checkGrpcHealth(address, long, 5000), { status: 200 });
  t.match(await checkGrpcHealth(address, 'down', 5000), { status: 500, text: /does not serve \(status 2\)/ });
  t.match(await checkGrpcHealth(address, 'unknown', 5000), { status: 500, text: /status 0/ });
  t.match(await checkGrpcHealth(address, 'other', 5000), { status: 500, text: /no such service/ });
});

t.test('what cannot be asked is unhealthy', async (t) => {
  t.match(await checkGrpcHealth('127.0.0.1:1', '', 1000), { status: 500, text: /cannot be asked/ });
});
