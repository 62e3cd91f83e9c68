import fc from 'fast-check';
import t from 'tap';
import {
  readDeltaRequest,
  readStateOfTheWorldRequest,
  writeDeltaResponse,
  writeStateOfTheWorldResponse,
} from '../../control-plane/discovery-message.ts';
import { FieldWriter, readFields } from '../../control-plane/wire-format.ts';
import { encodeRequest, readDeltaResponse, readStateOfTheWorldResponse } from '../../xds/client/discovery-wire.ts';
import { onlyItems } from '../support/only-items.ts';

const node = new FieldWriter()
  .string(1, 'n')
  .string(2, 'c')
  .message(3, new FieldWriter().string(1, 'metadata that nobody reads'))
  .string(6, 'envoy')
  .string(10, 'f1')
  .string(10, 'f2')
  .finish();
const readNode = { id: 'n', cluster: 'c', userAgent: 'envoy', clientFeatures: ['f1', 'f2'] };
const words = fc.array(fc.string({ minLength: 1 }), { maxLength: 5 });

t.test('a request of the client is what the server reads, in both protocols', async (t) => {
  fc.assert(
    fc.property(words, words, fc.dictionary(fc.string(), fc.string()), fc.string(), (a, b, held, text) => {
      const delta = encodeRequest(
        {
          kind: 'delta',
          typeUrl: 'u',
          subscribe: a,
          unsubscribe: b,
          initialVersions: Object.entries(held),
          nonce: text,
          refusal: text,
        },
        node,
      );
      const read = readDeltaRequest(delta)!;
      t.same(
        { ...read, held: Object.fromEntries(read.held) },
        {
          node: readNode,
          typeUrl: 'u',
          subscribe: a,
          unsubscribe: b,
          held: { ...held },
          responseNonce: text,
          refusal: text,
        },
      );
      const whole = encodeRequest(
        { kind: 'state-of-the-world', typeUrl: 'u', version: text, names: a, nonce: 'x' },
        undefined,
      );
      t.same(readStateOfTheWorldRequest(whole), {
        node: undefined,
        typeUrl: 'u',
        version: text,
        names: a,
        responseNonce: 'x',
        refusal: undefined,
      });
    }),
    { numRuns: 50 },
  );
});

t.test('a response of the server is what the client reads, in both protocols', async (t) => {
  fc.assert(
    fc.property(words, fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }), (removed, messages) => {
      const resources = messages.map((message, index) => ({ name: `r${index}`, version: `v${index}`, message }));
      const response = { typeUrl: 'u', version: 'v', nonce: '1', resources, removed };
      const delta = readDeltaResponse(writeDeltaResponse(response));
      const [theirs, ours] = [onlyItems(...resources), onlyItems(...removed)];
      const named = { ...response, controlPlane: 'outrigger control-plane', resources: theirs, removed: ours };
      t.match(delta, { kind: 'response', response: named });
      const whole = readStateOfTheWorldResponse(writeStateOfTheWorldResponse(response));
      t.match(whole, {
        kind: 'response',
        response: { version: 'v', resources: onlyItems(...messages.map((message) => ({ message, payloadType: 'u' }))) },
      });
    }),
    { numRuns: 50 },
  );
});

t.test('a refusal without a text is a refusal', async (t) => {
  const request = new FieldWriter().string(6, '1').bytes(7, new Uint8Array()).finish();
  t.equal(readDeltaRequest(request)!.refusal, '');
});

t.test('of a long refusal the beginning is kept: a client must not fill the memory with what it refuses', async (t) => {
  const error = new FieldWriter().string(2, `é${'x'.repeat(1_000_000)}`).finish();
  const delta = new FieldWriter().string(6, '1').bytes(7, error).finish();
  const whole = new FieldWriter().string(5, '1').bytes(6, error).finish();
  const kept = `é${'x'.repeat(16 * 1024 - 2)}`;
  t.equal(readDeltaRequest(delta)!.refusal, kept);
  t.equal(readStateOfTheWorldRequest(whole)!.refusal, kept);
});

t.test('bytes that are no message are none, and never throw', async (t) => {
  const cut = encodeRequest({ kind: 'state-of-the-world', typeUrl: 'url', version: '', names: [], nonce: '' }, node);
  t.equal(readStateOfTheWorldRequest(cut.subarray(0, cut.length - 1)), undefined);
  for (const bytes of [
    [0x0a],
    [0x0a, 5, 1],
    [0x03],
    [0x00],
    [0x0b],
    [0x08, ...Array(11).fill(0xff)],
    [0x0a, 1, 0x0a],
  ]) {
    t.equal(readDeltaRequest(Uint8Array.from(bytes)), undefined, bytes.join(' '));
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readDeltaRequest(bytes);
      readStateOfTheWorldRequest(bytes);
    }),
    { numRuns: 2000 },
  );
});

t.test('fields of every wire type are passed over', async (t) => {
  const fields: number[] = [];
  const message = Buffer.concat([
    new FieldWriter()
      .number(15, 2 ** 40)
      .string(16, 'x')
      .finish(),
    Buffer.from([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4]),
  ]);
  const numbers: number[] = [];
  t.ok(
    readFields(message, (field, _, number) => {
      fields.push(field);
      numbers.push(number);
    }),
  );
  t.same(fields, [15, 16, 1, 2]);
  t.equal(numbers[0], 2 ** 40);
});
