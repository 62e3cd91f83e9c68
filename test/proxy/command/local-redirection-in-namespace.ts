// Run by local-redirection.test.ts in network and mount namespaces of its own, with a bpffs at the usual place.

import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { type CaptureSettings, defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { attachedAt } from '../../../bpf/loader/attachment.ts';
import { AttachType } from '../../../native/bpf-link.ts';
import { MapType } from '../../../native/bpf-map.ts';
import { type LocalRedirectionOptions, openLocalRedirection } from '../../../proxy/command/local-redirection.ts';
import type { Redirection } from '../../../proxy/command/redirection.ts';
import { cgroupRoot } from '../../support/bpf-environment.ts';
import { onlyItems } from '../../support/only-items.ts';

const PINS = '/sys/fs/bpf/outrigger/v1';

execFileSync('ip', ['link', 'set', 'lo', 'up']);

/** A cgroup to capture in and one of the proxy, and settings that name them. */
function startPod(t: Test, given: Partial<CaptureSettings> = {}) {
  const top = join(cgroupRoot()!, `outrigger-test-${process.pid}`);
  const [application, proxy] = [join(top, 'application'), join(top, 'proxy')];
  for (const folder of [top, application, proxy]) mkdirSync(folder);
  t.teardown(() => {
    for (const folder of [proxy, application, top]) rmdirSync(folder);
  });
  const settings: CaptureSettings = {
    ...defaultCaptureSettings,
    outbound: { ...defaultCaptureSettings.outbound, includeCgroups: [`/${basename(top)}/application`] },
    proxy: { ...defaultCaptureSettings.proxy, cgroup: `/${basename(top)}/proxy` },
    ...given,
  };
  const connects = (): number => {
    const fd = openSync(application, 'r');
    const attached = attachedAt({ kind: 'cgroup', fd, name: application }, AttachType.inet4Connect);
    closeSync(fd);
    return attached.length;
  };
  return { settings, connects };
}

function open(options: Pick<LocalRedirectionOptions, 'settings'> & Partial<LocalRedirectionOptions>): Redirection {
  const opened = openLocalRedirection({ mode: 'ebpf', inherited: [], ...options });
  if ('setListener' in opened) return opened;
  throw new Error(opened.problem);
}

t.test('with the policy closed it stays, and the next process takes it over', async (t) => {
  const { settings, connects } = startPod(t);
  const first = open({ settings });
  t.equal(first.by, 'eBPF');
  t.same(first.notes, []);
  t.equal(readdirSync(PINS).filter((name) => name.startsWith('netns-')).length, 1);
  t.equal(first.release('stay'), undefined);
  t.equal(connects(), 1, 'it is still there');
  const second = open({ settings });
  t.equal(connects(), 1, 'once');
  t.equal(second.release('detach'), undefined);
  t.equal(connects(), 0);
});

t.test('closed, it stays also when the next process has no way to capture', async (t) => {
  const { settings, connects } = startPod(t);
  open({ settings }).release('stay');
  const path = process.env['PATH'];
  // No eBPF without the cgroup, and no iptables.
  process.env['PATH'] = '';
  const outbound = { ...settings.outbound, includeCgroups: ['/nowhere'] };
  const second = open({ settings: { ...settings, outbound }, mode: 'auto' });
  process.env['PATH'] = path;
  t.equal(second.by, null);
  t.equal(connects(), 1);
  t.match(second.notes.at(-1), 'what was captured before still is');
  second.release('stay');
  t.equal(open({ settings }).release('detach'), undefined);
});

t.test('a process that is asked for an open policy takes away what an older one left in place', async (t) => {
  const { settings, connects } = startPod(t);
  open({ settings }).release('stay');
  const second = open({ settings: { ...settings, policy: 'open' } });
  t.equal(connects(), 1);
  t.same(
    readdirSync(PINS).filter((name) => name.startsWith('netns-')),
    [],
  );
  second.release('stay');
  t.equal(connects(), 0, 'it went with its last holder');
});

t.test('a successor goes on with what it was handed, and nothing is attached twice', async (t) => {
  const { settings, connects } = startPod(t, { policy: 'open' });
  const first = open({ settings });
  const handed = first.descriptors();
  t.ok(handed.length > 5);
  const second = open({ settings, inherited: handed });
  t.equal(connects(), 1);
  first.release('stay');
  t.equal(connects(), 1, 'the first one has gone');
  second.release('detach');
  t.equal(connects(), 0);
});

t.test('what is wanted beside it is a note when it cannot be had', async (t) => {
  const { settings } = startPod(t, { shortcut: { enabled: true, ports: [], accept: [] }, events: true });
  const redirection = open({ settings });
  t.equal(redirection.shortcutMaps, null);
  t.match(redirection.notes, onlyItems(/^the short-circuit is off: /));
  t.same(
    redirection.counters().map(({ group }) => group),
    ['outbound', 'inbound', 'events'],
  );
  redirection.release('detach');
});

for (const [eventRingMib, bytes] of [
  [undefined, 4 * 1024 * 1024],
  [2, 2 * 1024 * 1024],
] as const) {
  t.test(`events have the ring that the settings say: ${eventRingMib ?? 'none'}`, async (t) => {
    const { settings } = startPod(t, { events: true, ...(eventRingMib !== undefined && { eventRingMib }) });
    const redirection = open({ settings });
    t.same(ownRings(), [bytes]);
    redirection.release('detach');
    t.same(ownRings(), []);
  });
}

t.test('a way that is not there is a problem with a way out', async (t) => {
  const settings = {
    ...defaultCaptureSettings,
    proxy: { ...defaultCaptureSettings.proxy, cgroup: '/nobody/has/this' },
  };
  const opened = openLocalRedirection({ mode: 'ebpf', settings, inherited: [] });
  t.notOk('setListener' in opened);
  t.match('problem' in opened && opened.problem, /cgroup.*; /);
});

/** Sizes of the rings that this process has a descriptor of. */
function ownRings(): readonly number[] {
  return readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    const path = `/proc/self/fdinfo/${fd}`;
    // The descriptor of the listing itself is gone.
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const isRing = new RegExp(`^map_type:\\s*${MapType.ringBuffer}$`, 'm').test(text);
    return isRing ? [Number(/^max_entries:\s*(\d+)$/m.exec(text)![1])] : [];
  });
}
