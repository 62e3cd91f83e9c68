import t from 'tap';
import { openIptablesCapture } from '../../../bpf/capture/iptables-capture.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { inboundCases } from './inbound-cases.ts';
import { outboundCases } from './outbound-cases.ts';
import { RedirectedPod, type WayToCapture } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'namespaces') ?? false;

const iptables: WayToCapture = {
  name: 'iptables',
  open: (settings, { netnsFd }) => openIptablesCapture({ settings, netnsFd: netnsFd! }),
};

t.test('capture by iptables', { skip }, async (t) => {
  const pod = await RedirectedPod.open(t);
  for (const { name, run } of [...outboundCases, ...inboundCases]) await t.test(name, (t) => run(t, pod, iptables));
});
