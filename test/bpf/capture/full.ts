// What ebpf-cases.ts does with thousands of connections, with a hundred thousand of each family, which takes minutes.
// Run by itself, as root: node test/bpf/capture/full.ts

import t from 'tap';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { OUTSIDE } from '../../support/bpf-rig.ts';
import { ebpf } from './ebpf-way.ts';
import { stormed } from './outbound-cases.ts';
import { RedirectedPod } from './redirected-pod.ts';

const CONNECTIONS = 100_000;
const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'namespaces') ?? false;

t.setTimeout(1_800_000);

t.test('of a hundred thousand that connect and reset, every destination is found', { skip }, async (t) => {
  const pod = await RedirectedPod.open(t);
  pod.capture(t, ebpf);
  for (const ip of [OUTSIDE.ipv4, OUTSIDE.ipv6]) {
    const outcome = await stormed(pod, { ip, port: 8080, count: CONNECTIONS });
    t.same(outcome, { accepted: CONNECTIONS, found: CONNECTIONS }, ip);
  }
});
