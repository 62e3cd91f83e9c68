import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { BegunObject, type ObjectPlaces } from '../../../bpf/capture/attached-programs.ts';
import { planOutbound } from '../../../bpf/capture/capture-plan.ts';
import { findTargets } from '../../../bpf/capture/capture-targets.ts';
import { nothingHeld } from '../../../bpf/capture/held-capture.ts';
import { PROGRAM_PLACES } from '../../../bpf/capture/program-places.ts';
import { inbound } from '../../../bpf/generated/inbound.ts';
import { outbound } from '../../../bpf/generated/outbound.ts';
import { attachedAt } from '../../../bpf/loader/attachment.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { bpfSkipReason, temporaryCgroup } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { settingsOf } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects') ?? false;
const settings = settingsOf({});

t.test('every program has its place', (t) => {
  const names = [...outbound.programs, ...inbound.programs].map(({ name }) => name);
  t.same(PROGRAM_PLACES.map(({ program }) => program).sort(), [...names].sort());
  t.end();
});

function requestFor(cgroup: string, more: object = {}) {
  const files = ObjectFiles.open();
  if (isFailure(files)) throw new Error(files.reason);
  const targets = findTargets(settings, { cgroup, sidecarCgroup: cgroup, netnsFd: null });
  if (isFailure(targets)) throw new Error(targets.reason);
  const plan = planOutbound(settings, targets);
  return { name: 'outbound' as const, plan, targets, held: nothingHeld, files, without: [], hasDns: false, ...more };
}

function attachObject(request: ObjectPlaces) {
  const begun = BegunObject.begin(request);
  return isFailure(begun) ? begun : begun.attach();
}

t.test('programs of DNS are loaded and attached when DNS is captured', { skip }, (t) => {
  const cgroup = temporaryCgroup(t, 'attached');
  for (const hasDns of [false, true]) {
    const request = requestFor(cgroup, { hasDns, without: ['or_peer4', 'or_lookup'] });
    const attached = attachObject(request);
    if (isFailure(attached)) throw new Error(attached.reason);
    t.equal(attached.has('or_send6'), hasDns);
    t.equal(attached.object.programFd('or_recv4') >= 0, hasDns);
    t.ok(attached.has('or_connect4'));
    t.notOk(attached.has('or_peer4'), 'this kernel is said to lack it');
    t.equal(attached.links().size, hasDns ? 9 : 5);
    t.equal(attached.detach(), undefined);
    request.targets.close();
  }
  t.end();
});

t.test('when one cannot be attached none stays', { skip }, (t) => {
  const cgroup = temporaryCgroup(t, 'attach-failure');
  const { targets, ...request } = requestFor(cgroup);
  const file = openSync('/dev/null', 'r');
  const application = { ...targets.places.application!, fd: file, name: 'no cgroup' };
  const failure = attachObject({ ...request, targets: { ...targets, places: { ...targets.places, application } } });
  t.match(failure, { reason: /^cannot attach or_sockops to no cgroup: / });
  const proxy = targets.places.proxy!;
  for (const { attachType, program } of PROGRAM_PLACES) t.same(attachedAt(proxy, attachType), [], program);
  closeSync(file);
  targets.close();
  t.end();
});

t.test('one that is given up leaves nothing attached and nothing open', { skip }, (t) => {
  const cgroup = temporaryCgroup(t, 'given-up');
  const { targets, ...request } = requestFor(cgroup);
  const before = openDescriptors();
  const begun = BegunObject.begin({ ...request, targets });
  if (isFailure(begun)) throw new Error(begun.reason);
  begun.giveUp();
  t.equal(openDescriptors(), before);
  const proxy = targets.places.proxy!;
  for (const { attachType, program } of PROGRAM_PLACES) t.same(attachedAt(proxy, attachType), [], program);
  targets.close();
  t.end();
});

t.test('what runs already stays when its successor is given up', { skip }, (t) => {
  const cgroup = temporaryCgroup(t, 'kept');
  const request = requestFor(cgroup);
  const attached = attachObject(request);
  if (isFailure(attached)) throw new Error(attached.reason);
  const there = () => PROGRAM_PLACES.map(({ attachType }) => attachedAt(request.targets.places.proxy!, attachType));
  const before = there();
  const open = openDescriptors();
  const held = { links: attached.links(), maps: attached.lastingMaps() };
  const successor = BegunObject.begin({ ...request, held });
  if (isFailure(successor)) throw new Error(successor.reason);
  successor.giveUp();
  t.same(there(), before);
  t.equal(openDescriptors(), open);
  t.equal(attached.detach(), undefined);
  request.targets.close();
  t.end();
});
