import t from 'tap';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { ebpfCases } from './ebpf-cases.ts';
import { ebpf } from './ebpf-way.ts';
import { inboundCases } from './inbound-cases.ts';
import { outboundCases } from './outbound-cases.ts';
import { RedirectedPod } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'namespaces') ?? false;

t.test('capture by eBPF', { skip }, async (t) => {
  const pod = await RedirectedPod.open(t);
  for (const { name, run } of [...outboundCases, ...inboundCases, ...ebpfCases])
    await t.test(name, (t) => run(t, pod, ebpf));
});
