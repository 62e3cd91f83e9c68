import t from 'tap';
import type { DnsLookupFamily } from '../../../config/cluster.ts';
import type { QueryOutcome, RecordType } from '../../../proxy/discovery/dns-query.ts';
import { NameResolver, type NameResolverOptions } from '../../../proxy/discovery/dns-resolver.ts';
import { parseHosts } from '../../../proxy/discovery/hosts-file.ts';

type Answer = readonly string[] | 'failed';

/** A resolver over a table of `name type`, and what it asked. */
function make(table: Readonly<Record<string, Answer>>, given: Partial<NameResolverOptions> = {}) {
  const asked: string[] = [];
  const query = async (name: string, type: RecordType): Promise<QueryOutcome> => {
    asked.push(`${name} ${type}`);
    const answer = table[`${name} ${type}`] ?? [];
    if (answer === 'failed') return { kind: 'failed', reason: `no answer for ${type}` };
    return { kind: 'answered', ips: answer, ttlMs: answer.length === 0 ? null : type === 'A' ? 30_000 : 20_000 };
  };
  const resolver = new NameResolver({
    query,
    hosts: () => new Map(),
    search: { domains: [], minDots: 1 },
    ...given,
  });
  const resolve = async (hostname: string, family: DnsLookupFamily = 'auto') => {
    asked.length = 0;
    const outcome = await resolver.resolve(hostname, family);
    return outcome.kind === 'failed' ? outcome.reason : outcome.ips;
  };
  return { resolver, resolve, asked };
}

t.test('literal addresses are their own answer', async (t) => {
  const { resolve, asked } = make({});
  t.same(await resolve('10.0.0.1', 'v6-only'), ['10.0.0.1']);
  t.same(await resolve('2001:db8::1'), ['2001:db8::1']);
  t.same(asked, []);
});

t.test('families', async (t) => {
  const { resolve, asked, resolver } = make({
    'both A': ['10.0.0.1'],
    'both AAAA': ['2001:db8::1'],
    'four A': ['10.0.0.4'],
    'six AAAA': ['2001:db8::6'],
  });
  t.same(await resolve('both', 'v4-only'), ['10.0.0.1']);
  t.same(await resolve('six', 'v4-only'), []);
  t.same(asked, ['six A']);
  t.same(await resolve('both', 'v6-only'), ['2001:db8::1']);
  t.same(await resolve('both', 'auto'), ['2001:db8::1']);
  t.same(asked, ['both AAAA']);
  t.same(await resolve('four', 'auto'), ['10.0.0.4']);
  t.same(await resolve('both', 'v4-preferred'), ['10.0.0.1']);
  t.same(await resolve('six', 'v4-preferred'), ['2001:db8::6']);
  t.same(await resolve('both', 'all'), ['10.0.0.1', '2001:db8::1']);
  t.match(await resolver.resolve('both', 'all'), { ttlMs: 20_000 }, 'the shorter time to live of both');
  t.same(await resolve('none', 'all'), []);
});

t.test('a failure of one family is none while the other has addresses', async (t) => {
  const { resolve } = make({
    'one A': ['10.0.0.1'],
    'one AAAA': 'failed',
    'gone AAAA': 'failed',
    'lost A': 'failed',
    'lost AAAA': 'failed',
  });
  t.same(await resolve('one', 'auto'), ['10.0.0.1']);
  t.same(await resolve('one', 'all'), ['10.0.0.1']);
  t.same(await resolve('gone', 'auto'), 'no answer for AAAA', 'no addresses of one family say nothing of the other');
  t.same(await resolve('lost', 'v4-preferred'), 'no answer for A');
});

t.test('the hosts file comes before DNS, for the families it has', async (t) => {
  const hosts = parseHosts('10.0.0.1 fruit\n2001:db8::1 fruit six\n');
  const { resolve, asked } = make({ 'six A': ['10.0.0.6'] }, { hosts: () => hosts });
  t.same(await resolve('FRUIT', 'v4-only'), ['10.0.0.1']);
  t.same(await resolve('fruit', 'auto'), ['2001:db8::1']);
  t.same(await resolve('fruit', 'all'), ['10.0.0.1', '2001:db8::1']);
  t.same(await resolve('six', 'v4-preferred'), ['2001:db8::1']);
  t.same(asked, []);
  t.same(await resolve('six', 'v4-only'), ['10.0.0.6']);
});

t.test('a hosts file that cannot be read is a failure, not an absent name', async (t) => {
  const { resolve } = make(
    {},
    {
      hosts: () => {
        throw new Error('permission denied');
      },
    },
  );
  t.equal(await resolve('fruit'), 'permission denied');
});

t.test('localhost is never asked of a server', async (t) => {
  const { resolve, asked } = make({});
  t.same(await resolve('localhost', 'v4-only'), ['127.0.0.1']);
  t.same(await resolve('a.localhost', 'all'), ['127.0.0.1', '::1']);
  t.same(asked, []);
});

t.test('search domains are tried until a name exists', async (t) => {
  const search = { domains: ['shop.local', 'local'], minDots: 2 };
  const { resolve, asked } = make({ 'fruit.local A': ['10.0.0.1'], 'bad.shop.local A': 'failed' }, { search });
  t.same(await resolve('fruit', 'v4-only'), ['10.0.0.1']);
  t.same(asked, ['fruit.shop.local A', 'fruit.local A']);
  t.same(await resolve('none', 'v4-only'), []);
  t.same(asked, ['none.shop.local A', 'none.local A', 'none A']);
  t.same(await resolve('bad', 'v4-only'), 'no answer for A');
  t.same(asked, ['bad.shop.local A'], 'a server that does not answer ends the search');
});
