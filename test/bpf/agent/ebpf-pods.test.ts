// What an agent finds of the one before it. That pods are redirected is tested with the whole agent (node-agent.test.ts).

import t from 'tap';
import { EbpfPods } from '../../../bpf/agent/ebpf-pods.ts';
import { CgroupTree } from '../../../bpf/cgroup/cgroup-tree.ts';
import type { LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { PinFolder } from '../../../bpf/loader/pin-folder.ts';
import { kernelProbes } from '../../../bpf/loader/probes.ts';
import { bpfSkipReason, cgroupRoot, temporaryBpffs } from '../../support/bpf-environment.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'bpffs') ?? false;

t.test('pods that an earlier agent pinned are found, and taken away with their pins', { skip }, (t) => {
  const { bpffs, pods, problems } = setUp(temporaryBpffs(t));
  const cgroup = `${cgroupRoot()}/kubepods/pod1`;
  pin(bpffs, 'pod-1', { cgroup, sidecarCgroup: null });
  pin(bpffs, 'pod-2', { cgroup: `${cgroupRoot()}/kubepods/pod2`, settings: { policy: 'open' } });
  pin(bpffs, 'shop', { cgroup });
  const restored = pods.restore();
  t.same(
    restored.map(({ cgroupPath, remains }) => [cgroupPath, remains.policy]),
    [
      ['/kubepods/pod1', 'closed'],
      ['/kubepods/pod2', 'open'],
    ],
    'what people loaded under other names is not the agent’s',
  );
  restored[0]!.remains.release('stay');
  t.equal(pods.restore().length, 2);
  for (const { remains } of restored) remains.release('detach');
  t.same(pods.restore(), []);
  t.same(problems, []);
  t.end();
});

t.test('pins that do not say of which cgroup they are stay, and are told', { skip }, (t) => {
  const { bpffs, pods, problems } = setUp(temporaryBpffs(t));
  pin(bpffs, 'pod-1', 'nothing');
  t.same(pods.restore(), []);
  t.matchOnly(problems, [{ reason: /does not say of which cgroup/, wayOut: /rm -r .*pod-1/ }]);
  t.end();
});

t.test('without bpffs there is nothing to find', { skip }, (t) => {
  t.same(setUp(null).pods.restore(), []);
  t.end();
});

function setUp(bpffs: string | null) {
  const files = ObjectFiles.open();
  const tree = CgroupTree.open(cgroupRoot()!);
  if (isFailure(files) || typeof tree === 'string') throw new Error('nothing to test with');
  const problems: LoadFailure[] = [];
  const onProblem = (problem: LoadFailure) => problems.push(problem);
  const pods = new EbpfPods({ files, probes: kernelProbes(), tree, bpffs, onProblem });
  return { bpffs: bpffs!, pods, problems };
}

function pin(bpffs: string, name: string, settings: unknown): void {
  const folder = PinFolder.at({ name, bpffs });
  const failure = isFailure(folder) ? folder : folder.create({ links: {}, maps: {}, settings });
  if (failure !== undefined) throw new Error(failure.reason);
}
