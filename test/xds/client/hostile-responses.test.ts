// Whatever a control plane says, in whatever order: nothing throws, and every response is answered as the protocol asks.

import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { playedClient } from '../../support/discovery-fixtures.ts';
import { clusterType, endpointType, type SentResource, type SentResponse } from '../../support/discovery-messages.ts';

const types = [clusterType, endpointType];
const name = fc.constantFrom('', '*', 'a', 'b', '__proto__', 'constructor');
const nonce = fc.constantFrom('', 'n1', 'n2');

const resource: fc.Arbitrary<SentResource> = fc.record(
  {
    name,
    version: fc.constantFrom('', '1'),
    aliases: fc.array(name, { maxLength: 2 }),
    ttlMs: fc.constantFrom(0, 10, 2 ** 40),
    type: fc.constantFrom(...types, ''),
    isHeartbeat: fc.boolean(),
    isWrapped: fc.boolean(),
  },
  { requiredKeys: ['name'] },
);

const response: fc.Arbitrary<SentResponse> = fc.record({
  type: fc.constantFrom(...types, '', 'type.googleapis.com/not.Known'),
  version: fc.constantFrom('', 'v'),
  nonce,
  resources: fc.array(resource, { maxLength: 4 }),
  removed: fc.array(name, { maxLength: 3 }),
});

for (const protocol of ['delta', 'state-of-the-world'] as const) {
  t.test(`${protocol}: each response with a nonce is answered once, by that nonce`, async () => {
    fc.assert(
      fc.property(fc.array(response, { maxLength: 20 }), (responses) => {
        const { client, transport, time, consumers } = playedClient(protocol, types);
        client.subscribe(clusterType, '*', 10);
        client.start();
        consumers.get(clusterType)!.refuses.set('b', [{ path: '', message: 'no' }]);
        transport.last.take();
        for (const sent of responses) {
          transport.last.respond(sent);
          const isAnswered = sent.type === clusterType && sent.nonce !== '';
          deepStrictEqual(
            transport.last.take().map(({ type, nonce }) => ({ type, nonce })),
            isAnswered ? [{ type: clusterType, nonce: sent.nonce }] : [],
          );
          time.advance(5);
        }
        deepStrictEqual(consumers.get(endpointType)!.told, []);
        deepStrictEqual(transport.streams.length, 1);
        client.stop();
        deepStrictEqual(time.waits, []);
      }),
    );
  });

  t.test(`${protocol}: damaged bytes end the stream or are answered, and the client goes on`, async () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (messages) => {
        const { client, transport, time } = playedClient(protocol, types);
        client.subscribe(clusterType, '*', 0);
        client.start();
        for (const message of messages) {
          transport.last.respondBytes(Buffer.from(message));
          time.advance(30_000);
        }
        deepStrictEqual(transport.last.isCancelled, false);
      }),
    );
  });
}
