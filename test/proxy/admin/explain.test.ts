import t, { type Test } from 'tap';
import type { FilterChainMatch, Listener } from '../../../config/listener.ts';
import type { Snapshot } from '../../../config/snapshot.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { clusterOf, forwardTo, httpListener, listenerOf, managerOf, routeOf } from '../../support/data-plane.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { virtualHost } from '../../support/route-fixtures.ts';

const shop = virtualHost({
  name: 'shop',
  domains: ['shop.example'],
  routes: [routeOf('/cart', forwardTo('cart'), { name: 'cart' }), routeOf('/', forwardTo('web'), { name: 'rest' })],
});
const http = httpListener('http', managerOf([shop]));

async function ask(t: Test, listeners: readonly Listener[], query: string, snapshot: Partial<Snapshot> = {}) {
  const clusters = new Map([['web', clusterOf('web', [8080])]]);
  const admin = await startAdmin({
    snapshot: { listeners: new Map(listeners.map((each) => [each.name, each])), clusters, ...snapshot },
  });
  t.teardown(() => admin.stop());
  return admin.get(`/explain?${query}`);
}

t.test('a request is followed from its listener to its endpoints, in words', async (t) => {
  const { status, text } = await ask(t, [http], 'authority=shop.example&path=/a?b=c');
  t.equal(status, 200);
  t.equal(
    text,
    [
      'listener "http" at 127.0.0.1:0',
      'filter chain "filter_chains[0]": for any connection; plain text',
      'GET "/a?b=c" at "shop.example": virtual host "shop" of route configuration "routes"',
      '  route "cart" does not match: path /a does not match prefix /cart',
      'route "rest" is taken: it forwards, with a timeout of 15000 ms',
      'cluster "web": 1 of 1 endpoints are usable',
      '  127.0.0.1:8080 healthy, weight 1, priority 0',
      '',
    ].join('\n'),
  );
});

t.test('the same as JSON', async (t) => {
  const { text } = await ask(t, [http], 'listener=http&authority=shop.example&path=/cart&format=json');
  t.match(JSON.parse(text), {
    generation: 1,
    listener: { name: 'http', address: '127.0.0.1:0' },
    filterChain: { name: 'filter_chains[0]', purpose: '', security: '' },
    request: {
      virtualHost: 'shop',
      routes: onlyItems({ route: 'cart', rejection: null }),
      outcome: 'forward',
    },
    clusters: onlyItems({ name: 'cart', isKnown: false }),
  });
  t.match(text, 'cluster \\"cart\\" is not there: the answer is 503 (NC)');
});

t.test('the filter chain is the one that such a connection gets', async (t) => {
  const chain = (name: string, match: Partial<FilterChainMatch>, cluster: string) => {
    const config = {
      statPrefix: name,
      clusters: [{ name: cluster, weight: 1 }],
      totalWeight: 1,
      idleTimeoutMs: 0,
      maxDownstreamConnectionDurationMs: 0,
      maxConnectAttempts: 1,
      accessLogs: [],
      flushAccessLogOnConnected: false,
      accessLogFlushIntervalMs: 0,
    };
    const [base] = http.filterChains;
    const filters = [{ kind: 'tcp-proxy' as const, name, config }];
    return { ...base!, name, match: { ...base!.match, ...match }, filters };
  };
  const listener = listenerOf('tcp', http.filterChains[0]!.filters[0]!, {
    filterChains: [
      chain('named', { serverNames: ['a.example'] }, 'web'),
      chain('local', { prefixRanges: [{ ip: '10.0.0.0', prefixLength: 8 }] }, 'gone'),
    ],
  });
  t.match(
    (await ask(t, [listener], 'server_name=A.example')).text,
    /"named": for a\.example(.*\n)*cluster "web": 1 of 1/,
  );
  const headed = (await ask(t, [listener], 'destination=10.1.2.3:80')).text;
  t.match(headed, /"local": to 10\.0\.0\.0\/8(.*\n)*cluster "gone".* is not there: the connection is closed\n/);
  const none = await ask(t, [listener], 'server_name=b.example&format=json');
  t.match(JSON.parse(none.text), { filterChain: null, clusters: noItems });
  t.match(none.text, 'no filter chain is for such a connection');
});

t.test('what cannot be asked is refused with the reason', async (t) => {
  const other = { ...http, name: 'other' };
  for (const [query, reason] of [
    ['', 'say which listener: "http", "other"\n'],
    ['listener=x', 'there is no listener "x": "http", "other"\n'],
    ['listener=http&format=xml', 'usage: /explain?format=(json|text)&...\n'],
    ['listener=http&header=a', 'not a header field, name:value: "a"\n'],
    ['listener=http&header=a:b%0d%0ac', 'not a header field, name:value: "a:b\\r\\nc"\n'],
    ['listener=http&method=G%20T', 'not a method: "G T"\n'],
    ['listener=http&source=nowhere', 'destination and source are addresses, ip:port\n'],
    [`listener=http${'&header=a:b'.repeat(101)}`, 'at most 100 header fields are taken\n'],
  ]) {
    t.match(await ask(t, [http, other], query!), { status: 400, text: reason! }, query!);
  }
});

t.test('nothing that is asked or configured can look like another line of the answer', async (t) => {
  const odd = virtualHost({ name: 'a\nb', routes: [routeOf('/c\nd', forwardTo('e\nf'), { name: 'g\nh' })] });
  const listener = httpListener('i\nj', managerOf([odd]));
  for (const path of ['/x%0ay', '/c%0ad']) {
    const { text } = await ask(t, [listener], `authority=a&path=${path}`);
    for (const line of text.trimEnd().split('\n')) {
      t.match(line, /^(listener|filter chain|GET|the request| {2}route|route|no route|cluster) /, path);
    }
  }
});
