import t from 'tap';
import type { PeerIdentity } from '../../../bpf/agent/peer-identity.ts';
import { isSuccessor, planSettings, reachProblem } from '../../../bpf/agent/pod-sidecar.ts';
import { defaultCaptureSettings as settings } from '../../../bpf/capture/settings.ts';

function processOf(container: string | undefined, processId: number, uid = 1337): PeerIdentity {
  const pod = container === undefined ? {} : { pod: { uid: '1', path: '/pod1', containerPath: container } };
  return { processId, uid, ...pod, read: () => undefined, close: () => undefined };
}

t.test('a successor is another process of the same container and user', (t) => {
  const holder = processOf('/pod1/sidecar', 5);
  t.ok(isSuccessor(processOf('/pod1/sidecar', 6), holder));
  t.notOk(isSuccessor(processOf('/pod1/sidecar', 5), holder), 'the same process');
  t.notOk(isSuccessor(processOf('/pod1/sidecar', 6, 0), holder), 'another user');
  t.notOk(isSuccessor(processOf('/pod1/application', 6), holder), 'another container');
  t.notOk(isSuccessor(processOf(undefined, 6), processOf(undefined, 5)), 'of the node itself');
  t.end();
});

t.test('the proxy is known by the cgroup of its container, whatever it says', (t) => {
  const given = { ...settings, proxy: { ...settings.proxy, cgroup: '/pod1/application' } };
  t.equal(planSettings(given, processOf('/pod1/sidecar', 5)).proxy.cgroup, '/pod1/sidecar');
  t.equal(planSettings(given, processOf(undefined, 5)), given);
  t.end();
});

t.test('settings reach no further than the pod', (t) => {
  const naming = (path: string) => ({ ...settings, outbound: { ...settings.outbound, excludeCgroups: [path] } });
  const sidecar = processOf('/pod1/sidecar', 5);
  t.equal(reachProblem(sidecar, naming('/pod1/debug')), undefined);
  t.match(reachProblem(sidecar, naming('/pod10')), 'the cgroup /pod10, which is not of pod 1');
  t.equal(reachProblem(processOf(undefined, 5), naming('/pod10')), undefined, 'the node itself may');
  t.match(reachProblem(sidecar, { ...settings, events: true }), 'settings say events');
  t.end();
});
