// A capture that outlives its process, or passes to the next one.

import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { CaptureTargets } from '../../../bpf/capture/capture-targets.ts';
import { type EbpfCapture, openEbpfCapture } from '../../../bpf/capture/ebpf-capture.ts';
import type { NamedDescriptor } from '../../../bpf/capture/held-capture.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { PinFolder } from '../../../bpf/loader/pin-folder.ts';
import { kernelProbes } from '../../../bpf/loader/probes.ts';
import { bpfSkipReason, temporaryBpffs } from '../../support/bpf-environment.ts';
import { OUTSIDE, POD } from '../../support/bpf-rig.ts';
import { RedirectedPod, settingsOf } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'namespaces', 'bpffs') ?? false;
const probes = kernelProbes();
const { ipv4, ipv6, nameserver } = OUTSIDE;

interface Opening {
  readonly settings?: unknown;
  readonly pins?: PinFolder;
  readonly inherited?: readonly NamedDescriptor[];
  readonly targets?: CaptureTargets;
}

function open({ settings = {}, pins, inherited = [], targets }: Opening): EbpfCapture {
  const files = ObjectFiles.open();
  if (isFailure(files)) throw new Error(files.reason);
  const capture = openEbpfCapture({
    settings: settingsOf(settings),
    targets: { ...pod.targets, ...targets },
    pins: pins ?? null,
    inherited,
    files,
    probes,
  });
  if (isFailure(capture)) throw new Error(capture.reason);
  pod.giveListeners(capture);
  return capture;
}

function pinsOf(t: Test): PinFolder {
  const pins = PinFolder.at({ name: 'pod', bpffs: temporaryBpffs(t) });
  if (isFailure(pins)) throw new Error(pins.reason);
  return pins;
}

let pod: RedirectedPod;
if (skip === false) {
  t.before(async () => {
    pod = await RedirectedPod.open(t);
  });
}

t.test('a successor takes over what it is handed, and no connection is missed', { skip }, async (t) => {
  let capture = open({});
  let isOver = false;
  const answers = new Map<string, number>();
  const load = (async () => {
    while (!isOver) {
      const answer = await pod.reach(ipv4, 8080);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  })();
  for (let generation = 0; generation < 10; generation++) {
    const successor = open({ inherited: capture.descriptors() });
    capture.release('stay');
    capture = successor;
    await pod.reach(ipv6, 8080);
  }
  isOver = true;
  await load;
  t.same([...answers.keys()], [`outbound for ${ipv4}:8080`]);
  t.equal(await pod.reach(POD.ipv4, 8080, pod.outside), `inbound for ${POD.ipv4}:8080`);
  const counts = capture.counters()[0]!.counts;
  t.ok(counts['captured_tcp4']! >= answers.get(`outbound for ${ipv4}:8080`)!, 'counters went on');
  capture.release('detach');
  t.equal(await pod.reach(ipv4, 8080), 'origin');
});

t.test('without pins it ends with its process', { skip }, async (t) => {
  open({}).release('stay');
  t.equal(await pod.reach(ipv4, 8080), 'origin');
});

t.test('pinned, it stays, and the next process goes on with settings of its own', { skip }, async (t) => {
  const pins = pinsOf(t);
  open({ pins, settings: { dns: {} } }).release('stay');
  t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`, 'nobody holds it');
  t.match(await askOf(), { answer: 'proxy: q' });
  const next = open({ pins, settings: { outbound: { exclude_ports: [22] } } });
  t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`);
  t.equal(await pod.reach(ipv4, 22), 'origin');
  t.match(await askOf(), { answer: 'nameserver: q' }, 'DNS is not captured any more');
  t.equal(await pod.reach(POD.ipv6, 8080, pod.outside), `inbound for [${POD.ipv6}]:8080`);
  t.equal(next.release('detach'), undefined);
  t.notOk(pins.exists());
  t.equal(await pod.reach(ipv4, 8080), 'origin');
  t.equal(await pod.reach(POD.ipv4, 8080, pod.outside), 'application');
});

t.test('nothing is pinned under the policy open', { skip }, async (t) => {
  const pins = pinsOf(t);
  const capture = open({ pins, settings: { policy: 'open' } });
  t.notOk(pins.exists());
  capture.release('stay');
  t.equal(await pod.reach(ipv4, 8080), 'origin');
});

t.test('a proxy in another cgroup than the one before is answered', { skip }, async (t) => {
  const pins = pinsOf(t);
  const before = join(pod.rig.podCgroup, 'before');
  mkdirSync(before);
  open({ pins, targets: { sidecarCgroup: before } }).release('stay');
  t.equal(await pod.reach(ipv4, 8080), 'outbound', 'captured, but the proxy cannot learn for whom');
  rmdirSync(before);
  const next = open({ pins });
  t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`);
  next.release('stay');
  t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`, 'the new link is pinned too');
  t.equal(open({ pins }).release('detach'), undefined);
});

t.test('an opening that fails leaves what was there', { skip }, async (t) => {
  const capture = open({});
  const files = ObjectFiles.open();
  if (isFailure(files)) throw new Error(files.reason);
  const failure = openEbpfCapture({
    settings: settingsOf({}),
    targets: { ...pod.targets, cgroup: '/nowhere' },
    pins: null,
    inherited: capture.descriptors(),
    files,
    probes,
  });
  t.match(failure, { reason: '/nowhere is not a cgroup', wayOut: /agent/ });
  t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`);
  capture.release('detach');
});

function askOf() {
  return pod.application.call('ask', { ip: nameserver, port: 53, isConnected: false, text: 'q' });
}
