import { mkdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findCgroups } from '../../../bpf/capture/cgroup-places.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { bpfSkipReason, cgroupRoot, temporaryCgroup } from '../../support/bpf-environment.ts';
import { settingsOf } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2') ?? false;

function idOf(folder: string): bigint {
  return statSync(folder, { bigint: true }).ino;
}

/** The path that settings have for a folder. */
function pathOf(folder: string): string {
  return folder.slice(cgroupRoot()!.length);
}

function found(...args: Parameters<typeof findCgroups>) {
  const places = findCgroups(...args);
  if (isFailure(places)) throw new Error(places.reason);
  return places;
}

function podOf(t: Test) {
  const pod = temporaryCgroup(t, `places-${t.name.length}`);
  const [application, proxy] = [join(pod, 'application'), join(pod, 'proxy')];
  for (const folder of [application, proxy]) mkdirSync(folder);
  t.teardown(() => {
    for (const folder of [application, proxy]) rmdirSync(folder);
  });
  return { pod, application, proxy };
}

t.test('without cgroup2 there is a way out', (t) => {
  t.match(findCgroups({ settings: settingsOf({}), mounts: [] }), {
    reason: 'cgroup2 is not mounted here, so that no cgroup can be reached',
    wayOut: /mount it .*, or capture with iptables/,
  });
  t.end();
});

t.test('a process that sees no pod is sent to the agent', { skip }, (t) => {
  t.match(findCgroups({ settings: settingsOf({}) }), {
    reason: /^the cgroup of the application cannot be reached: this process sees .*, its own, and no pod around it$/,
    wayOut: /outrigger bpf agent/,
  });
  t.end();
});

t.test('cgroups that are given are found by number', { skip }, (t) => {
  const { application, proxy, pod } = podOf(t);
  const settings = settingsOf({ outbound: { exclude_cgroups: [pathOf(proxy)] } });
  const places = found({ settings, application, proxy });
  t.same(places.application, { folder: application, id: idOf(application) });
  t.equal(places.proxyId, idOf(proxy));
  t.same([...places.listed], [[pathOf(proxy), idOf(proxy)]]);
  t.equal(found({ settings, application, proxy: null }).proxy, undefined);
  t.equal(found({ settings, application, proxy: pod }).proxyId, undefined, 'its cgroup holds the application too');
  t.equal(found({ settings, application, proxy: application }).proxyId, undefined);
  t.end();
});

t.test('included cgroups are captured at what holds them all', { skip }, (t) => {
  const { application, proxy, pod } = podOf(t);
  const at = (...folders: string[]) =>
    found({ settings: settingsOf({ outbound: { include_cgroups: folders.map(pathOf) } }) }).application.folder;
  t.equal(at(application), application);
  t.equal(at(application, proxy), pod);
  t.equal(at(application, pod), pod);
  t.end();
});

t.test('the cgroup of the proxy may be named in settings', { skip }, (t) => {
  const { application, proxy } = podOf(t);
  const settings = settingsOf({ proxy: { cgroup: pathOf(proxy) } });
  t.equal(found({ settings, application }).proxyId, idOf(proxy));
  t.end();
});

t.test('what is no cgroup is named', { skip }, (t) => {
  const settings = settingsOf({});
  t.match(findCgroups({ settings, application: '/tmp' }), { reason: '/tmp is not a cgroup' });
  const listed = settingsOf({ outbound: { exclude_cgroups: ['/not-there'] } });
  t.match(findCgroups({ settings: listed, application: cgroupRoot()! }), { reason: /not-there is not a cgroup$/ });
  t.end();
});
