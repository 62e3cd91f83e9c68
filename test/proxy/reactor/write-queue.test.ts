import fc from 'fast-check';
import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { BufferPool } from '../../../proxy/reactor/buffer-pool.ts';
import { WriteQueue } from '../../../proxy/reactor/write-queue.ts';
import { type Transport, TransportWant } from '../../../proxy/transport/transport.ts';

/** Takes as many bytes as it is allowed to, at most `atOnce` a call. */
class SlowTransport implements Transport {
  readonly fd = -1;
  readonly isPlain = true;
  readonly want = TransportWant.nothing;
  readonly hasPending = false;
  readonly problem = '';
  readonly taken: Buffer[] = [];
  allowance = 0;
  atOnce = Number.POSITIVE_INFINITY;
  failure = -Errno.EAGAIN;

  write(buffer: NativeBuffer, offset: number, length: number): number {
    const count = Math.min(length, this.allowance, this.atOnce);
    if (count === 0) return this.failure;
    this.allowance -= count;
    this.taken.push(Buffer.from(buffer.bytes.subarray(offset, offset + count)));
    return count;
  }

  establish(): number {
    return 0;
  }

  read(): number {
    return -Errno.EAGAIN;
  }

  look(): number {
    return -Errno.EAGAIN;
  }

  shutdownWrite(): number {
    return 0;
  }

  close(): void {}
}

const source = new NativeBuffer(200_000);
for (let index = 0; index < source.length; index++) source.bytes[index] = index % 251;

t.test('whatever is appended comes out in order, however little is taken at once', (t) => {
  const step = fc.record({
    start: fc.nat(1000),
    length: fc.oneof(fc.nat(100), fc.nat(20_000), fc.nat(190_000)),
    allowance: fc.oneof(fc.constant(0), fc.nat(1000), fc.nat(300_000)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.integer({ min: 1, max: 70_000 }), (steps, atOnce) => {
      const queue = new WriteQueue(new BufferPool());
      const transport = new SlowTransport();
      transport.atOnce = atOnce;
      const expected: Buffer[] = [];
      let total = 0;
      for (const { start, length, allowance } of steps) {
        queue.append(source, start, start + length);
        expected.push(source.bytes.subarray(start, start + length));
        total += length;
        transport.allowance = allowance;
        const result = queue.flush(transport);
        if (result !== (queue.lengthBytes === 0 ? 0 : -Errno.EAGAIN)) return false;
        if (queue.lengthBytes + transport.taken.reduce((sum, part) => sum + part.length, 0) !== total) return false;
      }
      transport.allowance = Number.POSITIVE_INFINITY;
      if (queue.flush(transport) !== 0 || queue.lengthBytes !== 0) return false;
      return Buffer.concat(transport.taken).equals(Buffer.concat(expected));
    }),
    { seed: 3, numRuns: 100 },
  );
  t.end();
});

t.test('an error of the transport is passed on, and clearing forgets', (t) => {
  const queue = new WriteQueue(new BufferPool());
  const transport = new SlowTransport();
  queue.append(source, 0, 100_000);
  transport.failure = -Errno.ECONNRESET;
  t.equal(queue.flush(transport), -Errno.ECONNRESET);
  queue.clear();
  t.equal(queue.lengthBytes, 0);
  queue.append(source, 7, 9);
  transport.allowance = 2;
  t.equal(queue.flush(transport), 0);
  t.same(Buffer.concat(transport.taken), Buffer.from([7, 8]));
  t.end();
});
