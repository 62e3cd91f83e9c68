import t from 'tap';
import type { CaptureOverview } from '../../../proxy/command/capture-overview.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

const captured: CaptureOverview = {
  asked: 'auto',
  by: 'iptables',
  problem: null,
  notes: ['eBPF is not used: no cgroup2 is mounted.'],
  policy: 'closed',
  inbound: ['0.0.0.0:15006', '[::]:15006'],
  counters: [
    { group: 'outbound', counts: { captured: 1200, passed_loopback: 3 } },
    { group: 'inbound', counts: { captured: 7 } },
  ],
};

async function ask(path: string, overview: CaptureOverview | null): Promise<{ status: number; text: string }> {
  const capture = { overview: () => overview, problem: overview?.problem ?? null };
  const admin = await startAdmin({ options: { capture } });
  try {
    return await admin.get(path);
  } finally {
    admin.stop();
  }
}

t.test('the text says who captures, why not otherwise, and what became of connections', async (t) => {
  const { text } = await ask('/capture', captured);
  t.equal(
    text,
    `Captured by iptables (--capture auto).
eBPF is not used: no cgroup2 is mounted.
While no proxy listens, connections fail (policy closed).
Inbound connections are given to 0.0.0.0:15006 and [::]:15006.

outbound
        1200  captured
           3  passed loopback

inbound
           7  captured
`,
  );
});

t.test('capture that could not be done is said first, with what follows from it', async (t) => {
  const { text } = await ask('/capture', {
    ...captured,
    asked: 'ebpf',
    by: null,
    problem: 'no cgroup2 is mounted',
    notes: [],
    policy: 'open',
    inbound: [],
    counters: [],
  });
  t.equal(
    text,
    `Nothing is captured (--capture ebpf).
Not ready: no cgroup2 is mounted
While no proxy listens, connections go where they were headed (policy open).
`,
  );
});

t.test('without --capture there is nothing to tell, as text and as JSON', async (t) => {
  t.match((await ask('/capture', null)).text, /^Nothing is redirected by this proxy/);
  t.equal(JSON.parse((await ask('/capture?format=json', null)).text), null);
});

t.test('JSON and the live page have the same facts', async (t) => {
  t.same(JSON.parse((await ask('/capture?format=json', captured)).text), captured);
  t.same((JSON.parse((await ask('/overview', captured)).text) as { capture: unknown }).capture, captured);
});

t.test('a format that there is not is refused', async (t) => {
  t.equal((await ask('/capture?format=xml', null)).status, 400);
});

t.test('a proxy is not ready while connections go past it', async (t) => {
  const { status, text } = await ask('/ready', { ...captured, problem: 'no cgroup2 is mounted' });
  t.equal(status, 503);
  t.equal(text, 'NOT CAPTURED: no cgroup2 is mounted\n');
  t.notMatch((await ask('/ready', captured)).text, 'CAPTURED');
});
