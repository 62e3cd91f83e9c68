import fc from 'fast-check';
import t from 'tap';
import type { FilterChain, FilterChainMatch } from '../../../config/listener.ts';
import { Problems } from '../../../config/problems.ts';
import { compileFilterChainMatch } from '../../../proxy/listener/filter-chain-match.ts';
import { checkFilterChainOverlap } from '../../../xds/decode/filter-chain-overlap.ts';

const any: FilterChainMatch = {
  prefixRanges: [],
  directSourcePrefixRanges: [],
  sourceType: 'any',
  sourcePrefixRanges: [],
  sourcePorts: [],
  serverNames: [],
  transportProtocol: '',
  applicationProtocols: [],
};

const chain = (match: Partial<FilterChainMatch>): FilterChain => ({
  name: '',
  match: { ...any, ...match },
  filters: [],
  transportSocketConnectTimeoutMs: 0,
});

function found(...matches: readonly Partial<FilterChainMatch>[]): readonly string[] {
  const problems = new Problems('filter_chains');
  checkFilterChainOverlap(matches.map(chain), problems);
  return problems.list.map(({ path, message }) => `${path}: ${message}`);
}

const same = 'filter_chains[1].filter_chain_match: matches the same connections as filter_chains[0]';

t.test('matches that share a value at every criterion overlap', async (t) => {
  t.same(found({}, {}), [same]);
  t.same(found({ destinationPort: 1 }, { destinationPort: 1 }), [same]);
  t.same(found({ serverNames: ['a', 'b'] }, { serverNames: ['b', 'c'] }), [same]);
  t.same(found({ sourcePorts: [1, 2], serverNames: ['a'] }, { sourcePorts: [2], serverNames: ['a'] }), [same]);
});

t.test('one criterion that differs, or that one of them leaves open, tells them apart', async (t) => {
  t.same(found({ destinationPort: 1 }, { destinationPort: 2 }), []);
  t.same(found({ serverNames: ['a'] }, {}), []);
  t.same(found({ sourceType: 'external' }, {}), []);
  t.same(found({ transportProtocol: 'tls' }, { transportProtocol: 'raw_buffer' }), []);
  t.same(found({ sourcePorts: [1], serverNames: ['a'] }, { sourcePorts: [1], serverNames: ['b'] }), []);
});

t.test('ranges are the same when their bits are', async (t) => {
  const range = (ip: string, prefixLength: number) => ({ prefixRanges: [{ ip, prefixLength }] });
  t.same(found(range('10.0.0.0', 8), range('10.1.2.3', 8)), [same]);
  t.same(found(range('2001:db8::', 32), range('2001:0db8:1::', 32)), [same]);
  t.same(found(range('::ffff:10.0.0.0', 104), range('10.0.0.0', 8)), [same], 'IPv4 written as IPv6');
  t.same(found(range('10.0.0.0', 8), range('10.0.0.0', 9)), []);
  t.same(found(range('::', 0), range('0.0.0.0', 0)), []);
});

t.test('a value written twice overlaps with itself', async (t) => {
  t.same(found({ serverNames: ['a', 'a'] }), [
    'filter_chains[0].filter_chain_match.server_names: must not hold a value twice',
  ]);
});

t.test('finds an overlap exactly when the tables of the data plane have one', async () => {
  const ranges = fc.uniqueArray(fc.constantFrom('10.0.0.0/8', '10.0.0.0/16', '::/0', '0.0.0.0/0'), { maxLength: 2 });
  const cidrs = ranges.map((texts) =>
    texts.map((text) => ({ ip: text.split('/')[0]!, prefixLength: Number(text.split('/')[1]) })),
  );
  const names = fc.uniqueArray(fc.constantFrom('a', '*.a', 'b'), { maxLength: 2 });
  const match = fc.record({
    destinationPort: fc.constantFrom(1, 2),
    prefixRanges: cidrs,
    sourcePrefixRanges: cidrs,
    serverNames: names,
    applicationProtocols: names,
    sourceType: fc.constantFrom('any' as const, 'external' as const),
    sourcePorts: fc.uniqueArray(fc.constantFrom(1, 2), { maxLength: 1 }),
  });
  fc.assert(
    fc.property(fc.array(match, { maxLength: 5 }), (matches) => {
      const problems = new Problems();
      compileFilterChainMatch(matches.map(chain), undefined, problems);
      return problems.isEmpty === (found(...matches).length === 0);
    }),
  );
});
