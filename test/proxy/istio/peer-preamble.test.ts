import fc from 'fast-check';
import t from 'tap';
import { MAX_PREAMBLE_BYTES, readPreamble, writePreamble } from '../../../proxy/istio/peer-preamble.ts';
import type { WorkloadNode } from '../../../proxy/istio/workload.ts';

/** A field with a length in front, and an entry of a struct. */
const field = (number: number, content: Buffer | string): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), Buffer.from(content)]);
const entry = (name: string, value: Buffer): Buffer => field(1, Buffer.concat([field(1, name), field(2, value)]));
const text = (value: string): Buffer => field(3, value);
const struct = (...entries: readonly Buffer[]): Buffer => field(5, Buffer.concat(entries));

/** As the note on Istio's wire has it: magic, length, `Any`, `Struct`. */
const framed = (content: Buffer): Buffer => {
  const header = Buffer.from([0x3d, 0x23, 0x04, 0x67, 0, 0, 0, 0]);
  header.writeUInt32BE(content.length, 4);
  return Buffer.concat([header, content]);
};
const anyOf = (type: string, value: Buffer): Buffer =>
  Buffer.concat([field(1, `type.googleapis.com/${type}`), field(2, value)]);
const TOLD = Buffer.concat([
  entry(
    'x-envoy-peer-metadata',
    struct(entry('LABELS', struct(entry('app', text('web')))), entry('NAMESPACE', text('shop'))),
  ),
  entry('x-envoy-peer-metadata-id', text('web~1')),
]);
const VECTOR = framed(anyOf('google.protobuf.Struct', TOLD));
const node: WorkloadNode = {
  id: 'web~1',
  metadata: { NAMESPACE: 'shop', LABELS: { app: 'web', team: 'blue' } },
  region: '',
  zone: '',
};

t.test('what is told has the bytes of a sidecar of Istio', async (t) => {
  t.same(writePreamble(node, []).bytes, VECTOR);
  t.match(readPreamble(VECTOR, []), {
    kind: 'whole',
    lengthBytes: VECTOR.length,
    peer: { namespace: 'shop', app: 'web' },
  });
});

t.test('labels beside Istio’s own are told and read when they are asked for', async (t) => {
  const read = (told: readonly string[], asked: readonly string[]) => {
    const found = readPreamble(writePreamble(node, told).bytes, asked);
    return found.kind === 'whole' ? found.peer?.labels : undefined;
  };
  t.same(read(['team'], ['team']), new Map([['team', 'blue']]));
  t.same(read([], ['team']), new Map());
  t.same(read(['team'], []), new Map());
});

t.test('the first byte that differs makes it something else', async (t) => {
  for (const bytes of [[0x16], [0x3d, 0x24], [0x3d, 0x23, 4, 0x66], [0x3d, 0x23, 4, 0x66, 0, 0, 0, 0, 1]]) {
    t.equal(readPreamble(Buffer.from(bytes), []).kind, 'absent');
  }
});

t.test('every cut is partial, and what follows it makes no difference', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: VECTOR.length - 1 }), fc.uint8Array(), (length, rest) => {
      const cut = readPreamble(VECTOR.subarray(0, length), []);
      const whole = readPreamble(Buffer.concat([VECTOR, rest]), []);
      const isCut = cut.kind === 'partial' && cut.hasLength === length >= 8;
      return isCut && whole.kind === 'whole' && whole.lengthBytes === VECTOR.length && whole.peer?.app === 'web';
    }),
  );
});

t.test('a length beyond the bound is not waited for', async (t) => {
  const header = (length: number) => Buffer.concat([VECTOR.subarray(0, 4), uint32(length)]);
  t.same(readPreamble(header(MAX_PREAMBLE_BYTES - 8), []), { kind: 'partial', hasLength: true });
  t.match(readPreamble(header(MAX_PREAMBLE_BYTES - 7), []), { kind: 'too-long' });
  t.match(readPreamble(header(0xff_ff_ff_ff), []), { kind: 'too-long', lengthBytes: 0xff_ff_ff_ff + 8 });
});

t.test('what cannot be read tells of nobody, and is framed all the same', async (t) => {
  const contents = [
    Buffer.alloc(0),
    Buffer.from([0xff]),
    anyOf('google.protobuf.Value', TOLD),
    anyOf('google.protobuf.Struct', Buffer.from([0xff])),
    anyOf('google.protobuf.Struct', entry('x-envoy-peer-metadata', text('web'))),
    anyOf('google.protobuf.Struct', entry('other', struct())),
  ];
  for (const content of contents) {
    t.same(readPreamble(framed(content), []), { kind: 'whole', lengthBytes: content.length + 8, peer: null });
  }
});

t.test('no bytes make it throw, or read past its length', async () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array().map((bytes) => anyOf('google.protobuf.Struct', Buffer.from(bytes.subarray(0, 90)))),
  );
  fc.assert(
    fc.property(content, (bytes) => {
      const found = readPreamble(framed(Buffer.from(bytes)), []);
      return found.kind === 'whole' && found.lengthBytes === bytes.length + 8;
    }),
  );
});

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
