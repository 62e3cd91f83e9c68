// The live page in a real browser: its script runs under the page's own content security policy and fills the tables.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import t from 'tap';
import type { LatestError } from '../../proxy/export/latest-errors.ts';
import type { SamplingOverview } from '../../proxy/export/sampling-overview.ts';
import { startAdmin } from '../support/admin-fixtures.ts';
import { clusterOf, forwardTo, httpListener, managerOf, routeOf, virtualHostOf } from '../support/data-plane.ts';

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=3000 --dump-dom';

t.setTimeout(900_000);

const sampling: SamplingOverview = {
  rates: 'settings',
  budget: { tracesPerSecond: 20, settingsPerSecond: 20, scope: 'instance', replicas: 1 },
  tracesPerSecond: 5,
  passing: { head: 1, error: 1 },
  keys: [
    {
      service: 'payment',
      route: 'check <out>',
      method: 'POST',
      headerRule: null,
      requestsPerSecond: 12,
      begunPerSecond: 12,
      probability: 0.1,
      kept: { head: 40, error: 2 },
      dropped: { probability: 300 },
    },
  ],
};
const error: LatestError = {
  atMs: Date.UTC(2026, 10, 21),
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  service: 'payment',
  route: 'check <out>',
  method: 'POST',
  status: 503,
  grpcStatus: null,
  flags: 'UF',
  sentence: 'POST checkout was answered with 503 after 1.0 ms: connection refused',
};

const skip = browser === undefined ? 'no Chromium on this machine' : false;
t.test('a browser fills the tables of the live page, without an error', { skip }, async (t) => {
  const listener = httpListener('front <b>', managerOf([virtualHostOf([routeOf('/', forwardTo('back & co'))])]));
  const admin = await startAdmin({
    snapshot: {
      listeners: new Map([[listener.name, listener]]),
      clusters: new Map([['back & co', clusterOf('back & co', [8080])]]),
    },
    options: { tracing: { overview: () => sampling, latestErrors: () => [error] } },
  });
  t.teardown(() => admin.stop());
  const profile = t.testdir({});
  const child = spawn(browser!, [...flags.split(' '), `--user-data-dir=${profile}`, `${admin.origin}/`]);
  t.teardown(() => child.kill('SIGKILL'));
  let page = '';
  let errors = '';
  child.stdout.on('data', (data) => (page += data));
  child.stderr.on('data', (data) => (errors += data));
  t.same(await once(child, 'close'), [0, null]);
  t.match(page, 'front &lt;b&gt;', 'a listener, whose name is text');
  t.match(page, 'HTTP: 1 route in 1 virtual host');
  t.match(page, 'back &amp; co');
  t.match(page, '1 endpoint');
  t.match(page, /<section id="sampling"(?![^>]*hidden)/);
  t.match(page, 'POST · check &lt;out&gt;', 'a key of sampling');
  t.match(page, '40 by chance · 2 failed');
  t.match(page, 'not kept: 300 not chosen');
  t.match(page, /<section id="errors-section"(?![^>]*hidden)/);
  t.match(page, error.traceId);
  t.match(page, 'connection refused');
  t.notMatch(errors, /CONSOLE|Uncaught|Refused to/, 'nothing in the console');
});
