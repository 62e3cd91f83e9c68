// Every admin path of Envoy that harnesses, istioctl and dashboards ask, of a whole process: what is there, in which form,
// and that looking at it changes nothing.

import t, { type Test } from 'tap';
import { startPatientOrigin } from '../support/patient-origin.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { connectTo, isDone, request, startBefore } from '../support/single-listener.ts';

// Starting a process takes seconds on a busy machine.
t.setTimeout(900_000);

const text = 'text/plain; charset=UTF-8';
const json = 'application/json';

/** Path, content type, and what an answer begins with or has. */
const shown: readonly (readonly [string, string, RegExp])[] = [
  ['/', 'text/html; charset=UTF-8', /^<!doctype html>/i],
  ['/ready', text, /^LIVE\n$/],
  ['/server_info', json, /"state": *"LIVE"/],
  ['/stats', text, /^http\.ingress\.downstream_rq_total: 1$/m],
  ['/stats?usedonly&filter=^http.ingress.downstream_rq_[25]xx$', text, /^http\.ingress\.downstream_rq_2xx: 1\n$/],
  ['/stats?format=json', json, /^\{"stats": *\[/],
  ['/stats?format=prometheus', text, /^# TYPE envoy_\w+ (counter|gauge|histogram)\n/],
  ['/stats/prometheus', text, /^envoy_http_downstream_rq_total\{envoy_http_conn_manager_prefix="ingress"\} 1$/m],
  ['/config_dump', json, /"@type": *"type\.googleapis\.com\/envoy\.admin\.v3\.BootstrapConfigDump"/],
  ['/clusters', text, /^app::127\.0\.0\.1:\d+::rq_total::1$/m],
  ['/clusters?format=json', json, /"cluster_statuses": *\[/],
  ['/listeners', text, /^http::127\.0\.0\.1:\d+\n$/],
  ['/listeners?format=json', json, /"listener_statuses": *\[/],
  ['/certs', json, /"certificates"/],
  ['/runtime', json, /"entries"/],
  ['/memory', json, /"allocated"/],
  ['/help', text, /^admin commands are:\n/],
  ['/explain?path=/&authority=a', text, /^listener "http" at /],
];

/** Those that change something, in an order in which the last one ends the process. */
const changing = [
  ...['/logging', '/healthcheck/fail', '/healthcheck/ok', '/reset_counters', '/runtime_modify?a=1', '/reopen_logs'],
  ...['/drain_listeners', '/quitquitquit'],
];

async function ask(sidecar: Sidecar, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${sidecar.adminPort}${path}`, { method });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

async function startWithOneRequest(t: Test): Promise<Sidecar> {
  const origin = await startPatientOrigin(t);
  const sidecar = await startBefore(t, { port: origin.port });
  const client = await connectTo(t, sidecar.port('http'));
  await client.write(request('/'));
  await client.until(isDone);
  return sidecar;
}

t.test('each path is answered in its form, by POST too where it changes nothing', async (t) => {
  const sidecar = await startWithOneRequest(t);
  for (const [path, type, beginning] of shown) {
    for (const method of ['GET', 'POST']) {
      const answer = await ask(sidecar, path, method);
      t.equal(answer.status, 200, `${method} ${path}`);
      t.equal(answer.type, type, `${method} ${path}`);
      t.match(answer.body, beginning, `${method} ${path}`);
    }
  }
  const missing = await ask(sidecar, '/nothing');
  t.equal(missing.status, 404);
  t.match(missing.body, /^invalid path\. admin commands are:\n/);
});

t.test('what changes something is refused by GET and HEAD, and nothing changes; by POST it is done', async (t) => {
  const sidecar = await startWithOneRequest(t);
  for (const path of changing) {
    for (const method of ['GET', 'HEAD', 'PUT']) {
      t.equal((await ask(sidecar, path, method)).status, 405, `${method} ${path}`);
    }
  }
  t.match(await sidecar.admin('/ready'), /^LIVE\n$/);
  t.match(await sidecar.admin('/stats?filter=^http.ingress.downstream_rq_total$'), /: 1\n$/);
  t.notMatch(await sidecar.admin('/runtime'), /"a"/);
  for (const path of changing) {
    // This bootstrap has no admin layer for what would be set: 503, as with Envoy.
    const expected = path.startsWith('/runtime_modify') ? 503 : 200;
    t.equal((await ask(sidecar, path, 'POST')).status, expected, `POST ${path}`);
  }
  t.equal(await sidecar.ended, 0);
});

t.test('/help names each of these paths, and which need POST', async (t) => {
  const origin = await startPatientOrigin(t);
  const sidecar = await startBefore(t, { port: origin.port });
  const help = await sidecar.admin('/help');
  for (const [path] of shown) t.ok(help.includes(`\n  ${path.split('?')[0]}: `), path);
  for (const path of changing) t.ok(help.includes(`\n  ${path.split('?')[0]} (POST): `), path);
});
