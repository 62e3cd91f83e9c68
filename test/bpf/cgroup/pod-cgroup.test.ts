import fc from 'fast-check';
import t from 'tap';
import { podOfCgroup } from '../../../bpf/cgroup/pod-cgroup.ts';

const uid = '0f0e0d0c-0b0a-0908-0706-050403020100';
const underscored = uid.replaceAll('-', '_');
const hash = '0123456789abcdef0123456789abcdef';
const systemd = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${underscored}.slice`;

t.test('a pod is found by the names of both drivers, in nested clusters too', (t) => {
  const pods: readonly [string, string, string | undefined][] = [
    [`/kubepods/burstable/pod${uid}/abc`, `/kubepods/burstable/pod${uid}`, 'abc'],
    [`/kubepods/pod${uid}/abc/init.scope`, `/kubepods/pod${uid}`, 'abc'],
    [`/kubepods/besteffort/pod${hash}`, `/kubepods/besteffort/pod${hash}`, undefined],
    [`${systemd}/cri-containerd-abc.scope`, systemd, 'cri-containerd-abc.scope'],
    [
      `/kubepods.slice/kubepods-pod${underscored}.slice/crio-abc.scope`,
      `/kubepods.slice/kubepods-pod${underscored}.slice`,
      'crio-abc.scope',
    ],
    [`/docker/xyz/kubelet/kubepods/pod${uid}/abc`, `/docker/xyz/kubelet/kubepods/pod${uid}`, 'abc'],
    [
      `/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${underscored}.slice/a.scope`,
      `/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${underscored}.slice`,
      'a.scope',
    ],
  ];
  for (const [path, pod, container] of pods) {
    const found = podOfCgroup(path);
    t.equal(found?.path, pod, path);
    t.equal(found?.uid, path.includes(hash) ? hash : uid);
    t.equal(found?.containerPath, container === undefined ? undefined : `${pod}/${container}`);
  }
  t.end();
});

t.test('a container cannot name itself another pod by cgroups of its own', (t) => {
  const other = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  t.equal(podOfCgroup(`/kubepods/pod${uid}/abc/kubepods/pod${other}/x`)?.uid, uid);
  t.end();
});

t.test('what is in no pod is in none', (t) => {
  for (const path of [
    '/',
    '',
    '/system.slice/sshd.service',
    `/pod${uid}`,
    `/kubepods/podx`,
    `/kubepods/pod${uid}x/abc`,
    `/kubepods/../kubepods/pod${uid}`,
    `/my-kubepods-thing/pod${uid}`,
  ]) {
    t.equal(podOfCgroup(path), undefined, path);
  }
  fc.assert(fc.property(fc.string(), (path) => podOfCgroup(path) === undefined || path.includes('kubepods')));
  t.end();
});
