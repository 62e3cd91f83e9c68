import t from 'tap';
import type { KeyOverview, SamplingOverview } from '../../../proxy/export/sampling-overview.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

const payment: KeyOverview = {
  service: 'payment',
  route: 'checkout',
  method: 'POST',
  headerRule: 2,
  requestsPerSecond: 12.34,
  begunPerSecond: 3.085,
  probability: 0.1,
  kept: { head: 40, error: 2 },
  dropped: { probability: 300, budget: 0 },
};
const rest: KeyOverview = {
  service: '*',
  route: '*',
  method: '*',
  headerRule: null,
  requestsPerSecond: 0,
  begunPerSecond: 0,
  probability: 1,
  kept: {},
  dropped: {},
};
const overview: SamplingOverview = {
  rates: 'settings',
  budget: { tracesPerSecond: 5, settingsPerSecond: 20, scope: 'service', replicas: 4 },
  tracesPerSecond: 4.5678,
  passing: { head: 0.5, error: 1 },
  keys: [payment, rest],
};

async function ask(path: string, found: SamplingOverview | null): Promise<{ status: number; text: string }> {
  const tracing = { overview: () => found, latestErrors: () => [] };
  const admin = await startAdmin({ options: { tracing } });
  try {
    return await admin.get(path);
  } finally {
    admin.stop();
  }
}

t.test('the text says what may leave, what leaves, and why of each key', async (t) => {
  const { text } = await ask('/sampling', overview);
  t.equal(
    text,
    `Rates are those of the sampling file (--sampling-config).
4.6 traces left in the last second; 5 may (of 20 of the service, for 4 instances).
More are chosen than may leave: 50 % of them do.

requests/s  begun  chosen    kept  not kept  key
      12.3   25 %    10 %      42       300  payment checkout POST [rule 2] (head 40, error 2; not: probability 300)
       0.0      -   100 %       0         0  (all others)
`,
  );
});

t.test('percentages have no budget, and nothing is traced without a provider', async (t) => {
  const keys = [{ ...payment, probability: null, headerRule: null, service: '' }];
  const { text } = await ask('/sampling', { ...overview, rates: 'percentages', budget: null, keys });
  t.match(
    text,
    /^Rates are the percentages of connection managers and routes\.\n4\.6 traces left in the last second\.\n/,
  );
  t.match(text, /12\.3 {3}25 % {7}- {6}42 {7}300 {2}\(no cluster\) checkout POST/);
  t.match((await ask('/sampling', null)).text, /^Nothing is traced/);
});

t.test('a key is one line of the text, however it is called', async (t) => {
  const { text } = await ask('/sampling', {
    ...overview,
    keys: [{ ...payment, service: 'a\nb', route: 'c\u001b[2Jd' }],
  });
  t.match(text, '  a\\x0ab c\\x1b[2Jd POST [rule 2]');
});

t.test('many keys are cut in the text and on the page, and whole in JSON', async (t) => {
  const keys = Array.from({ length: 60 }, (_, index) => ({ ...payment, route: `r${index}` }));
  t.match((await ask('/sampling', { ...overview, keys })).text, /\nand 10 more: \?format=json\n$/);
  t.strictSame(JSON.parse((await ask('/sampling?format=json', { ...overview, keys })).text).keys, keys);
  const page = JSON.parse((await ask('/overview', { ...overview, keys: [...keys, rest] })).text);
  t.equal(page.sampling.keys.length, 50);
  t.equal(page.sampling.keyCount, 60, 'what stands for the rest is not shown before it is needed');
  t.equal(JSON.parse((await ask('/overview', null)).text).sampling, null);
  t.equal((await ask('/sampling?format=xml', overview)).status, 400);
});
