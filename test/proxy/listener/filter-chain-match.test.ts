import fc from 'fast-check';
import t from 'tap';
import type { FilterChain, FilterChainMatch } from '../../../config/listener.ts';
import { Problems } from '../../../config/problems.ts';
import { type ConnectionCriteria, compileFilterChainMatch } from '../../../proxy/listener/filter-chain-match.ts';
import { compileRanges } from '../../../proxy/listener/ip-range.ts';

type Match = Partial<FilterChainMatch>;

function chain(name: string, match: Match = {}): FilterChain {
  return {
    name,
    match: {
      prefixRanges: [],
      directSourcePrefixRanges: [],
      sourceType: 'any',
      sourcePrefixRanges: [],
      sourcePorts: [],
      serverNames: [],
      transportProtocol: '',
      applicationProtocols: [],
      ...match,
    },
    filters: [],
    transportSocketConnectTimeoutMs: 0,
  };
}

const connection: ConnectionCriteria = {
  destinationIp: '10.0.0.1',
  destinationPort: 80,
  serverName: '',
  transportProtocol: 'raw_buffer',
  applicationProtocols: [],
  directSourceIp: '192.0.2.1',
  sourceIp: '192.0.2.1',
  sourcePort: 40_000,
};

const range = (text: string) => ({ ip: text.split('/')[0]!, prefixLength: Number(text.split('/')[1]) });

/** Name of the chain that a connection gets of chains given by their names. */
function choose(chains: Readonly<Record<string, Match>>, given: Partial<ConnectionCriteria>): string | undefined {
  const list = Object.entries(chains).map(([name, match]) => chain(name, match));
  return compileFilterChainMatch(list, chain('default')).match({ ...connection, ...given })?.name;
}

t.test('without chains there is the default, or nothing', (t) => {
  t.equal(compileFilterChainMatch([], undefined).match(connection), null);
  t.equal(choose({}, {}), 'default');
  t.equal(choose({ all: {} }, {}), 'all');
  t.end();
});

t.test('destination port', (t) => {
  const chains = { web: { destinationPort: 80 }, any: {} };
  t.equal(choose(chains, { destinationPort: 80 }), 'web');
  t.equal(choose(chains, { destinationPort: 81 }), 'any');
  t.equal(choose({ web: { destinationPort: 80 } }, { destinationPort: 81 }), 'default');
  t.end();
});

t.test('destination address: the longest prefix', (t) => {
  const chains = {
    wide: { prefixRanges: [range('10.0.0.0/8')] },
    narrow: { prefixRanges: [range('10.0.0.0/24'), range('2001:db8::/32')] },
    any: {},
  };
  t.equal(choose(chains, { destinationIp: '10.0.0.1' }), 'narrow');
  t.equal(choose(chains, { destinationIp: '::ffff:10.0.0.1' }), 'narrow', 'as a dual-stack socket shows it');
  t.equal(choose(chains, { destinationIp: '10.0.1.1' }), 'wide');
  t.equal(choose(chains, { destinationIp: '2001:db8::1' }), 'narrow');
  t.equal(choose(chains, { destinationIp: '11.0.0.1' }), 'any');
  t.equal(choose(chains, { destinationIp: '', destinationPort: 0 }), 'any', 'a Unix socket');
  t.end();
});

t.test('server name: exact, then the longest wildcard', (t) => {
  const chains = {
    exact: { serverNames: ['www.fruit.test', 'shop.fruit.test'] },
    fruit: { serverNames: ['*.fruit.test'] },
    test: { serverNames: ['*.test'] },
    any: {},
  };
  t.equal(choose(chains, { serverName: 'www.fruit.test' }), 'exact');
  t.equal(choose(chains, { serverName: 'a.b.fruit.test' }), 'fruit');
  t.equal(choose(chains, { serverName: 'fruit.test' }), 'test', 'a wildcard needs something in front');
  t.equal(choose(chains, { serverName: 'test' }), 'any');
  t.equal(choose(chains, { serverName: '' }), 'any');
  t.equal(choose(chains, { serverName: '*.fruit.test' }), 'fruit');
  t.end();
});

t.test('transport protocol', (t) => {
  const chains = { tls: { transportProtocol: 'tls' }, any: {} };
  t.equal(choose(chains, { transportProtocol: 'tls' }), 'tls');
  t.equal(choose(chains, { transportProtocol: 'raw_buffer' }), 'any');
  t.end();
});

t.test('application protocols: the first one of the client that is named', (t) => {
  const chains = { two: { applicationProtocols: ['h2'] }, one: { applicationProtocols: ['http/1.1'] }, any: {} };
  t.equal(choose(chains, { applicationProtocols: ['h3', 'http/1.1', 'h2'] }), 'one');
  t.equal(choose(chains, { applicationProtocols: ['h3'] }), 'any');
  t.end();
});

t.test('source addresses: of the socket, and of the client', (t) => {
  const chains = {
    direct: { directSourcePrefixRanges: [range('192.0.2.0/24')] },
    client: { sourcePrefixRanges: [range('198.51.100.0/24')] },
  };
  t.equal(
    choose(chains, { directSourceIp: '192.0.2.7', sourceIp: '198.51.100.1' }),
    'direct',
    'the socket is asked first',
  );
  t.equal(choose(chains, { directSourceIp: '203.0.113.1', sourceIp: '198.51.100.1' }), 'client');
  t.end();
});

t.test('source type', (t) => {
  const chains = { local: { sourceType: 'same-ip-or-loopback' }, external: { sourceType: 'external' } } as const;
  const type = (sourceIp: string, destinationIp = '10.0.0.1') => choose(chains, { sourceIp, destinationIp });
  t.equal(type('127.0.0.1'), 'local');
  t.equal(type('::1'), 'local');
  t.equal(type('::ffff:127.0.0.1'), 'local');
  t.equal(type('127.0.0.2'), 'external', 'Envoy means 127.0.0.1 only');
  t.equal(type('10.0.0.1'), 'local', 'the same address');
  t.equal(type('::ffff:10.0.0.1'), 'local', 'in another spelling');
  t.equal(type('192.0.2.1'), 'external');
  t.equal(type('', ''), 'local', 'a Unix socket');
  t.equal(choose({ any: {}, external: chains.external }, { sourceIp: '::1' }), 'any');
  t.end();
});

t.test('source port', (t) => {
  const chains = { listed: { sourcePorts: [1000, 2000] }, any: {} };
  t.equal(choose(chains, { sourcePort: 2000 }), 'listed');
  t.equal(choose(chains, { sourcePort: 3000 }), 'any');
  t.end();
});

t.test('the order of precedence is the one of the documentation', (t) => {
  // Every chain fits; each names the criterion of its rank and none before it.
  const ranked: readonly (readonly [string, Match])[] = [
    ['destination port', { destinationPort: 443 }],
    ['destination address', { prefixRanges: [range('10.0.0.0/8')] }],
    ['server name', { serverNames: ['*.test'] }],
    ['transport protocol', { transportProtocol: 'tls' }],
    ['application protocols', { applicationProtocols: ['h2'] }],
    ['direct source', { directSourcePrefixRanges: [range('0.0.0.0/0')] }],
    ['source type', { sourceType: 'external' }],
    ['source', { sourcePrefixRanges: [range('0.0.0.0/0')] }],
    ['source port', { sourcePorts: [40_000] }],
    ['nothing', {}],
  ];
  const fitting = {
    destinationPort: 443,
    serverName: 'a.test',
    transportProtocol: 'tls',
    applicationProtocols: ['h2'],
  };
  for (let first = 0; first < ranked.length; first++) {
    const chains = Object.fromEntries(ranked.slice(first).reverse());
    t.equal(choose(chains, fitting), ranked[first]![0]);
  }
  t.end();
});

t.test('there is no way back to a less specific value', (t) => {
  const chains = { port: { destinationPort: 80, serverNames: ['a.test'] }, any: { serverNames: ['b.test'] } };
  t.equal(choose(chains, { destinationPort: 80, serverName: 'b.test' }), 'default');
  t.equal(choose(chains, { destinationPort: 81, serverName: 'b.test' }), 'any');
  const nested = {
    narrow: { prefixRanges: [range('10.0.0.0/24')], transportProtocol: 'tls' },
    wide: { prefixRanges: [range('10.0.0.0/8')] },
  };
  t.equal(choose(nested, { destinationIp: '10.0.0.1' }), 'default');
  t.end();
});

t.test('chains that cannot be told apart are a problem of the later one', (t) => {
  const problems = new Problems('listener.filter_chains');
  const chains = [
    chain('first', { destinationPort: 80, serverNames: ['a.test', 'b.test'] }),
    chain('', { destinationPort: 80 }),
    chain('third', { destinationPort: 80, serverNames: ['b.test', 'c.test'] }),
    chain('fourth', { destinationPort: 80 }),
    chain('fifth', { prefixRanges: [range('10.0.0.1/8'), range('10.0.0.2/8')] }),
  ];
  const matcher = compileFilterChainMatch(chains, undefined, problems);
  t.same(problems.list, [
    {
      path: 'listener.filter_chains[2].filter_chain_match',
      message: 'matches the same connections as "first"; each combination of criteria may be used once',
    },
    {
      path: 'listener.filter_chains[3].filter_chain_match',
      message: 'matches the same connections as filter chain 1; each combination of criteria may be used once',
    },
  ]);
  t.equal(matcher.match({ ...connection, serverName: 'b.test' })?.name, 'first', 'the earlier one keeps its place');
  t.equal(matcher.match({ ...connection, serverName: 'c.test' })?.name, 'third');
  t.end();
});

// The documentation taken literally: at each criterion only the chains stay that fit most specifically.
function chooseNaively(chains: readonly FilterChain[], facts: ConnectionCriteria): FilterChain | null {
  const best = (values: readonly unknown[], scores: readonly number[]) =>
    values.length === 0 ? 0 : Math.max(-1, ...scores.map((score) => (score === 0 ? -1 : score)));
  const ranges = (list: FilterChainMatch['prefixRanges'], ip: string) =>
    best(
      list,
      list.map((each) => (compileRanges([each])(ip) ? each.prefixLength + 1 : 0)),
    );
  const isLocal = ['127.0.0.1', facts.destinationIp].includes(facts.sourceIp);
  const specificities: readonly ((match: FilterChainMatch) => number)[] = [
    ({ destinationPort }) => (destinationPort === undefined ? 0 : destinationPort === facts.destinationPort ? 1 : -1),
    (match) => ranges(match.prefixRanges, facts.destinationIp),
    ({ serverNames }) =>
      best(
        serverNames,
        serverNames.map((name) => {
          if (name === facts.serverName) return 1000;
          return name.startsWith('*.') && facts.serverName.endsWith(name.slice(1)) ? name.length : 0;
        }),
      ),
    (match) => (match.transportProtocol === '' ? 0 : match.transportProtocol === facts.transportProtocol ? 1 : -1),
    ({ applicationProtocols }) =>
      best(
        applicationProtocols,
        applicationProtocols.map((each) =>
          facts.applicationProtocols.includes(each) ? 10 - facts.applicationProtocols.indexOf(each) : 0,
        ),
      ),
    (match) => ranges(match.directSourcePrefixRanges, facts.directSourceIp),
    ({ sourceType }) => (sourceType === 'any' ? 0 : (sourceType === 'external') !== isLocal ? 1 : -1),
    (match) => ranges(match.sourcePrefixRanges, facts.sourceIp),
    ({ sourcePorts }) =>
      best(
        sourcePorts,
        sourcePorts.map((port) => (port === facts.sourcePort ? 1 : 0)),
      ),
  ];
  let left = chains;
  for (const specificity of specificities) {
    const most = Math.max(...left.map((each) => specificity(each.match)));
    if (most < 0) return null;
    left = left.filter((each) => specificity(each.match) === most);
  }
  return left[0] ?? null;
}

t.test('agrees with the documentation taken literally, on any chains that can be told apart', (t) => {
  const ips = ['10.0.0.1', '10.0.1.1', '10.1.0.1', '127.0.0.1', '192.0.2.1'];
  const ipRanges = fc.subarray(['10.0.0.0/8', '10.0.0.0/16', '10.0.0.0/24', '127.0.0.0/8', '0.0.0.0/0'].map(range), {
    maxLength: 2,
  });
  const match = fc.record({
    destinationPort: fc.constantFrom(undefined, undefined, 80, 81),
    prefixRanges: ipRanges,
    serverNames: fc.subarray(['a.test', 'b.a.test', '*.a.test', '*.test'], { maxLength: 2 }),
    transportProtocol: fc.constantFrom('', '', 'tls', 'raw_buffer'),
    applicationProtocols: fc.subarray(['h2', 'http/1.1'], { maxLength: 1 }),
    directSourcePrefixRanges: fc.oneof(fc.constant([]), ipRanges),
    sourceType: fc.constantFrom('any', 'same-ip-or-loopback', 'external'),
    sourcePrefixRanges: fc.oneof(fc.constant([]), ipRanges),
    sourcePorts: fc.subarray([1, 2], { maxLength: 1 }),
  }) as fc.Arbitrary<Match>;
  const facts: fc.Arbitrary<ConnectionCriteria> = fc.record({
    destinationIp: fc.constantFrom(...ips),
    destinationPort: fc.constantFrom(80, 81, 82),
    serverName: fc.constantFrom('', 'a.test', 'b.a.test', 'c.a.test', 'd.test', 'other'),
    transportProtocol: fc.constantFrom('tls', 'raw_buffer'),
    applicationProtocols: fc.subarray(['http/1.1', 'h2', 'h3']),
    directSourceIp: fc.constantFrom(...ips),
    sourceIp: fc.constantFrom(...ips),
    sourcePort: fc.constantFrom(1, 2, 3),
  });
  let chosen = 0;
  fc.assert(
    fc.property(fc.array(match, { minLength: 1, maxLength: 8 }), fc.array(facts, { maxLength: 10 }), (matches, all) => {
      const problems = new Problems();
      let chains = matches.map((each, index) => chain(`chain ${index}`, each));
      compileFilterChainMatch(chains, undefined, problems);
      const overlapping = new Set(problems.list.map(({ path }) => Number(path.match(/\d+/)![0])));
      chains = chains.filter((_, index) => !overlapping.has(index));
      const matcher = compileFilterChainMatch(chains, undefined);
      return all.every((each) => {
        const found = matcher.match(each);
        if (found !== null) chosen++;
        return found === chooseNaively(chains, each);
      });
    }),
    { numRuns: 500 },
  );
  t.ok(chosen > 100, `${chosen} connections had a chain`);
  t.end();
});
