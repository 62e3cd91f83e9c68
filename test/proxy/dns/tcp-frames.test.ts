import fc from 'fast-check';
import t from 'tap';
import { TcpFrames, tcpFrame } from '../../../proxy/dns/tcp-frames.ts';

t.test('messages come out as they were put in, however the stream is cut', async () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)));
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 20 }), (all, step) => {
      const stream = Buffer.concat(all.map(tcpFrame));
      const frames = new TcpFrames();
      const found: Buffer[] = [];
      for (let at = 0; at < stream.length; at += step) {
        frames.push(stream.subarray(at, at + step));
        for (let one = frames.next(); one !== undefined; one = frames.next()) found.push(Buffer.from(one));
      }
      return found.length === all.length && found.every((one, index) => one.equals(all[index]!));
    }),
  );
});

t.test('a message that is not there whole is waited for', async (t) => {
  const frames = new TcpFrames();
  frames.push(Buffer.of(0));
  t.equal(frames.next(), undefined);
  frames.push(Buffer.of(2, 1));
  t.equal(frames.next(), undefined);
  frames.push(Buffer.of(2));
  t.same(frames.next(), Buffer.of(1, 2));
});
