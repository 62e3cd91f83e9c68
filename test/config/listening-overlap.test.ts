import t from 'tap';
import type { Address } from '../../config/address.ts';
import { commonAddress, isWildcard, ownOverlap } from '../../config/listening-overlap.ts';

const at = (ip: string, port = 80): Address => ({ kind: 'ip', ip, port });
const having = (address: Address, ...additionalAddresses: readonly Address[]) => ({
  address,
  additionalAddresses,
  bindToPort: true,
  ipv4Compatible: false,
});

t.test('an address is in the way of itself, and of the one that stands for all', (t) => {
  const rows: readonly (readonly [one: string, other: string, isCommon: boolean])[] = [
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['0.0.0.0', '10.0.0.1', true],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['::', '::1', true],
    ['0:0::0', '::1', true],
    ['::', '10.0.0.1', false],
    ['0.0.0.0', '::1', false],
    ['::', '0.0.0.0', false],
  ];
  for (const [one, other, isCommon] of rows) {
    const [left, right] = [at(one), at(other)];
    t.same(commonAddress(having(left), having(right)), isCommon ? { own: left, others: right } : undefined);
    t.same(commonAddress(having(right), having(left)), isCommon ? { own: right, others: left } : undefined);
  }
  const dual = { ...having(at('::')), ipv4Compatible: true };
  t.same(commonAddress(dual, having(at('10.0.0.1'))), { own: at('::'), others: at('10.0.0.1') });
  t.same(commonAddress(having(at('0.0.0.0')), dual), { own: at('0.0.0.0'), others: at('::') });
  t.same(commonAddress(having(at('::1')), { ...dual, address: at('10.0.0.1') }), undefined);
  t.end();
});

t.test(
  'ports that differ or that the kernel chooses, Unix sockets, and listeners without sockets are in nobody’s way',
  (t) => {
    t.same(commonAddress(having(at('0.0.0.0', 81)), having(at('10.0.0.1'))), undefined);
    t.same(commonAddress(having(at('0.0.0.0', 0)), having(at('0.0.0.0', 0))), undefined);
    const pipe: Address = { kind: 'pipe', path: '/a' };
    t.same(commonAddress(having(pipe), having(pipe)), undefined);
    t.same(commonAddress({ ...having(at('::')), bindToPort: false }, having(at('::'))), undefined);
    t.same(commonAddress(having(at('::')), { ...having(at('::')), bindToPort: false }), undefined);
    t.end();
  },
);

t.test('every address of both is looked at, and those of one listener too', (t) => {
  const one = having(at('10.0.0.1'), at('10.0.0.2', 81), at('::1'));
  t.same(commonAddress(one, having(at('10.0.0.9'), at('::'))), { own: at('::1'), others: at('::') });
  t.same(ownOverlap(one), undefined);
  t.same(ownOverlap(having(at('10.0.0.1'), at('::1'), at('0.0.0.0'))), { own: at('0.0.0.0'), others: at('10.0.0.1') });
  t.end();
});

t.test('a wildcard is one in every spelling', (t) => {
  t.same([at('0.0.0.0'), at('::'), at('0:0:0:0:0:0:0:0')].map(isWildcard), [true, true, true]);
  t.same([at('0.0.0.1'), at('::1'), { kind: 'pipe', path: '/0' } as const].map(isWildcard), [false, false, false]);
  t.end();
});
