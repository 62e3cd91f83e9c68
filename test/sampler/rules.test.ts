import t from 'tap';
import { otherKey } from '../../sampler/key-table.ts';
import { headerRuleOf, RuleTable } from '../../sampler/rules.ts';
import { defaultSettings, type SamplingRule } from '../../sampler/settings.ts';

const rules: readonly SamplingRule[] = [
  { service: 'shop', route: '/health', headers: [], rate: 0, weight: 0 },
  { headers: [['X-Tenant', 'gold*']], rate: 0.5, weight: 50 },
  { service: 'shop', method: 'POST', headers: [], rate: 0.2, weight: 20 },
  { service: 'shop', headers: [['x-canary', '*']], rate: 1, weight: 1 },
];
const key = { service: 'shop', route: '/items', method: 'GET', headerRule: -1 };

t.test('the first rule without headers that matches gives rate and weight', (t) => {
  const table = new RuleTable(rules);
  t.same(table.shareOf({ ...key, route: '/health' }, 0.01), { rate: 0, weight: 0 });
  t.same(table.shareOf({ ...key, method: 'POST' }, 0.01), { rate: 0.2, weight: 20 });
  t.same(table.shareOf(key, 0.01), { rate: 0.01, weight: 1 }, 'no rule: the base rate');
  t.end();
});

t.test('a request that a rule about headers chose has its rate', (t) => {
  const table = new RuleTable(rules);
  t.same(table.shareOf({ ...key, headerRule: 1 }, 0.01), { rate: 0.5, weight: 50 });
  t.same(table.shareOf({ ...key, headerRule: 7 }, 0.01), { rate: 0.01, weight: 1 }, 'a rule of older settings');
  t.same(table.shareOf({ ...key, headerRule: 0 }, 0.01), { rate: 0.01, weight: 1 }, 'no rule about headers');
  t.end();
});

t.test('rules about headers are asked in their order, up to the first rule that needs none', (t) => {
  const table = new RuleTable(rules);
  const indexes = (route: string, method: string) =>
    table.headerRulesFor('shop', route, method).map(({ index }) => index);
  t.same(indexes('/items', 'GET'), [1, 3]);
  t.same(indexes('/items', 'POST'), [1]);
  t.same(indexes('/health', 'GET'), []);
  t.same(
    table.headerRulesFor('other', '/', 'GET').map(({ index }) => index),
    [1],
  );
  t.end();
});

t.test('a request matches a rule when it has every header that it names', (t) => {
  const both: SamplingRule = {
    headers: [
      ['a', '1'],
      ['b', '*'],
    ],
    rate: 1,
    weight: 1,
  };
  const asked = new RuleTable([both, ...rules]).headerRulesFor('shop', '/items', 'GET');
  const chosen = (headers: Record<string, string>) => headerRuleOf(asked, (name) => headers[name]);
  t.equal(chosen({ a: '1', b: '' }), 0);
  t.equal(chosen({ a: '1' }), -1);
  t.equal(chosen({ a: '2', b: '' }), -1);
  t.equal(chosen({ 'x-tenant': 'Gold plus' }), 2);
  t.equal(chosen({ 'x-canary': '1', 'x-tenant': 'silver' }), 4);
  t.end();
});

t.test('the shipped rules keep ten times as many of a payment service', (t) => {
  const table = new RuleTable(defaultSettings.rules);
  const shareOf = (service: string) => table.shareOf({ ...key, service }, defaultSettings.baseRate);
  t.same(shareOf('payments.shop.svc.cluster.local'), { rate: 0.1, weight: 10 });
  t.same(shareOf('reviews.shop.svc.cluster.local'), { rate: 0.01, weight: 1 });
  t.same(table.shareOf(otherKey, defaultSettings.baseRate), { rate: 0.01, weight: 1 });
  t.end();
});
