import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import t from 'tap';
import { type FoundTargets, findTargets } from '../../../bpf/capture/capture-targets.ts';
import { cookieOf, openOwnNamespace } from '../../../bpf/capture/network-namespace.ts';
import { isFailure, type LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { bpfSkipReason, temporaryCgroup } from '../../support/bpf-environment.ts';
import { BpfRig } from '../../support/bpf-rig.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { settingsOf } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'namespaces') ?? false;
const settings = settingsOf({});

function used(found: FoundTargets | LoadFailure): FoundTargets {
  if (isFailure(found)) throw new Error(found.reason);
  return found;
}

t.test('targets are told by number, in the namespace that is given', { skip }, async (t) => {
  const rig = await BpfRig.open(t);
  const own = openOwnNamespace();
  const { netnsFd, applicationCgroup: cgroup, sidecarCgroup } = rig;
  const targets = used(findTargets(settings, { cgroup, sidecarCgroup, netnsFd }));
  const { application, proxy, namespace } = targets.places;
  t.equal(application!.number, statSync(cgroup, { bigint: true }).ino);
  t.equal(proxy!.number, statSync(sidecarCgroup, { bigint: true }).ino);
  t.equal(namespace!.number, fstatSync(netnsFd, { bigint: true }).ino);
  t.equal(targets.networkNamespaceCookie, cookieOf(netnsFd));
  t.not(cookieOf(netnsFd), cookieOf(own), 'and this process is back in its own');
  targets.close();
  t.throws(() => fstatSync(namespace!.fd), { code: 'EBADF' });
  t.ok(fstatSync(netnsFd), "the caller's is open");
  closeSync(own);
});

t.test('without a namespace inbound is left alone', { skip }, (t) => {
  const cgroup = temporaryCgroup(t, 'targets');
  const targets = used(findTargets(settings, { cgroup, sidecarCgroup: null, netnsFd: null }));
  t.notOk(targets.hasInbound);
  t.match(targets, { places: { proxy: undefined, namespace: undefined }, networkNamespaceCookie: undefined });
  targets.close();
  t.end();
});

t.test('by default it is the namespace of this process', { skip }, (t) => {
  const cgroup = temporaryCgroup(t, 'own-namespace');
  const targets = used(findTargets(settings, { cgroup, sidecarCgroup: cgroup }));
  t.equal(targets.places.namespace!.number, statSync('/proc/self/ns/net', { bigint: true }).ino);
  t.equal(targets.proxyCgroup, undefined, 'the application cannot be told by the cgroup of both');
  targets.close();
  t.end();
});

t.test('a target that cannot be opened is a failure, and nothing stays open', { skip }, (t) => {
  const cgroup = temporaryCgroup(t, 'closed');
  const before = openDescriptors();
  // The number of a descriptor that was closed; an agent finds one where it has none left.
  t.match(findTargets(settings, { cgroup, sidecarCgroup: null, netnsFd: 9999 }), { reason: /open what to attach to/ });
  const file = openSync('/dev/null', 'r');
  t.match(findTargets(settings, { cgroup, sidecarCgroup: null, netnsFd: file }), { reason: /network namespace/ });
  closeSync(file);
  t.equal(openDescriptors(), before);
  t.end();
});
