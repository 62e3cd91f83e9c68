import t from 'tap';
import { BufferPool } from '../../../proxy/reactor/buffer-pool.ts';

t.test('a buffer holds what was asked for, in the smallest size', (t) => {
  const pool = new BufferPool();
  t.same(
    [1, 4096, 4097, 65536, 65537, 131_072, 131_073].map((bytes) => pool.take(bytes).length),
    [4096, 4096, 16_384, 65_536, 131_072, 131_072, 131_073],
  );
  t.end();
});

t.test('what was released is used again, never by two at once', (t) => {
  const pool = new BufferPool();
  const first = pool.take(5000);
  pool.release(first);
  t.equal(pool.take(5000), first);
  t.not(pool.take(5000), first);
  t.end();
});

t.test('idle memory is bounded, and odd sizes are not kept', (t) => {
  const pool = new BufferPool();
  const taken = Array.from({ length: 1000 }, () => pool.take(4096));
  for (const buffer of taken) pool.release(buffer);
  const kept = new Set(taken);
  const again = Array.from({ length: 1000 }, () => pool.take(4096)).filter((buffer) => kept.has(buffer));
  t.equal(again.length, 256);
  const large = pool.take(1_000_000);
  pool.release(large);
  t.not(pool.take(1_000_000), large);
  t.end();
});
