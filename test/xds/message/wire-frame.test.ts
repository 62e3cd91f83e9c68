import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import { closeFrame, openFrame } from '../../../xds/message/wire-frame.ts';

t.test('a frame ends the reader where its length says, until it is closed', async (t) => {
  const reader = protobuf.Reader.create(Uint8Array.of(2, 1, 2, 3));
  const outer = openFrame(reader);
  t.equal(reader.len, 3);
  t.same([reader.uint32(), reader.uint32()], [1, 2]);
  t.throws(() => reader.uint32(), /out of range/);
  closeFrame(reader, outer);
  t.equal(reader.uint32(), 3);
});

t.test('a length beyond the end, and a frame with a rest, are errors', async (t) => {
  t.throws(() => openFrame(protobuf.Reader.create(Uint8Array.of(4, 1, 2, 3))), /out of range/);
  const reader = protobuf.Reader.create(Uint8Array.of(2, 1, 2));
  const outer = openFrame(reader);
  reader.uint32();
  t.throws(() => closeFrame(reader, outer), /out of range/);
});
