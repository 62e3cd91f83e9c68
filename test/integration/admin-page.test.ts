// The live page in a real browser: its script runs under the page's own content security policy and fills the tables.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import t from 'tap';
import { startAdmin } from '../support/admin-fixtures.ts';
import { clusterOf, forwardTo, httpListener, managerOf, routeOf, virtualHostOf } from '../support/data-plane.ts';

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=3000 --dump-dom';

t.setTimeout(900_000);

const skip = browser === undefined ? 'no Chromium on this machine' : false;
t.test('a browser fills the tables of the live page, without an error', { skip }, async (t) => {
  const listener = httpListener('front <b>', managerOf([virtualHostOf([routeOf('/', forwardTo('back & co'))])]));
  const admin = await startAdmin({
    snapshot: {
      listeners: new Map([[listener.name, listener]]),
      clusters: new Map([['back & co', clusterOf('back & co', [8080])]]),
    },
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
  t.notMatch(errors, /CONSOLE|Uncaught|Refused to/, 'nothing in the console');
});
