// Against a call that a test holds in its hands: what is sent when, and what is not.

import { EventEmitter } from 'node:events';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import t from 'tap';
import { ClientStream } from '../../control-plane/client-stream.ts';
import { DeltaSession } from '../../control-plane/delta-session.ts';
import { everyNode, SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { encodeRequest, readDeltaResponse } from '../../xds/client/discovery-wire.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import { resourcesOfText, serviceText, typeUrls } from '../support/control-plane-fixtures.ts';

/** A call whose writes are done when the test says so. */
function makeHeldCall() {
  let written: (() => void) | undefined;
  const call = Object.assign(new EventEmitter(), {
    written: [] as Buffer[],
    errors: [] as unknown[],
    hasEnded: false,
    getPeer: () => '192.0.2.1:5',
    write(message: Buffer, done: () => void): boolean {
      call.written.push(message);
      written = done;
      return true;
    },
    end() {
      call.hasEnded = true;
    },
    finishWrite: () => written!(),
  });
  call.on('error', (error) => call.errors.push(error));
  return call;
}

function connect() {
  const cache = new SnapshotCache();
  const call = makeHeldCall();
  const ended: ClientStream[] = [];
  const client = new ClientStream({
    call: call as unknown as ServerDuplexStream<Buffer, Buffer>,
    session: new DeltaSession({ typeUrl: undefined, clock: () => 1 }),
    cache,
    onRefusal: () => {},
    onEnd: (each) => ended.push(each),
  });
  const node = encodeMessage({ id: 'n' }, 'envoy.config.core.v3.Node');
  const request = {
    kind: 'delta',
    typeUrl: typeUrls['cds']!,
    subscribe: ['*'],
    unsubscribe: [],
    initialVersions: [],
  } as const;
  const ask = () => call.emit('data', Buffer.from(encodeRequest({ ...request, nonce: '' }, node)));
  const publish = (text: string) => cache.update(new Map([[everyNode, { resources: resourcesOfText(text) }]]));
  const names = () =>
    call.written.map((bytes) => {
      const result = readDeltaResponse(bytes);
      return result.kind === 'response' ? result.response.resources.map(({ name }) => name).join(' ') : result.reason;
    });
  return { call, client, ended, ask, publish, names };
}

t.test('while a response is on its way no other is made; then comes what is newest', async (t) => {
  const { call, ask, publish, names } = connect();
  publish(serviceText('a'));
  ask();
  publish(serviceText('b'));
  publish(serviceText('c'));
  t.same(names(), ['a']);
  call.finishWrite();
  t.same(names(), ['a', 'c']);
  call.finishWrite();
  t.equal(call.written.length, 2);
});

t.test('a client is somebody from its first request on', async (t) => {
  const { client, ask, publish, names } = connect();
  publish(serviceText('a'));
  t.same([client.node, client.peer, names()], [undefined, '192.0.2.1:5', []]);
  ask();
  t.match(client.node, { id: 'n' });
});

t.test('after its end a client gets nothing, and is told about once', async (t) => {
  for (const event of ['end', 'cancelled', 'close']) {
    const { call, client, ended, ask, publish } = connect();
    ask();
    call.emit(event);
    call.emit('close');
    publish(serviceText('a'));
    ask();
    t.same([call.written.length, ended], [0, [client]], event);
    t.equal(call.hasEnded, event === 'end', 'a client that said goodbye is answered');
  }
});

t.test('a server that stops says so', async (t) => {
  const { call, client, ended } = connect();
  client.end();
  client.end();
  t.strictSame(call.errors, [{ code: 14, details: 'the control plane is stopping' }]);
  t.equal(ended.length, 1);
});
