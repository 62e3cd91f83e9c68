// A sidecar that ends when the application has gone, in a pod whose containers see each other's processes: a PID namespace with
// a cgroup for each container.

import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { bpfSkipReason, temporaryCgroup } from '../support/bpf-environment.ts';
import { startSidecar } from '../support/sidecar.ts';

// A process takes seconds on a busy machine to start.
t.setTimeout(900_000);

const variables = {
  POD_NAME: 'job-1',
  POD_NAMESPACE: 'shop',
  INSTANCE_IP: '127.0.0.1',
  ENVOY_STATUS_PORT: '0',
  ENVOY_PROMETHEUS_PORT: '0',
  // Nobody is there: how it ends has nothing to do with a control plane.
  PROXY_CONFIG: JSON.stringify({ discoveryAddress: '127.0.0.1:1', proxyAdminPort: 0, statusPort: 0 }),
  OUTRIGGER_EXIT_AFTER_APPLICATION: '1s',
};
const flags = ['--concurrency', '1', '--no-config-cache'];

/** The first process of a pod. The application begins and ends as the two pipes say. */
const podProgram = `
(echo 0 > "$1/cgroup.procs" && shift 3 && exec "$@") &
sidecar=$!
read -r _ < "$3/come"
(echo 0 > "$2/cgroup.procs" && exec cat "$3/work") > /dev/null &
wait $sidecar
`;

t.test('it waits for the application to come, stays while it runs, and ends when it has gone', skipOr(), async (t) => {
  const folder = t.testdir({ 'pod.sh': podProgram });
  const groups = ['sidecar', 'application'].map((name) => temporaryCgroup(t, name));
  spawnSync('mkfifo', [join(folder, 'come'), join(folder, 'work')]);
  const sidecar = await startSidecar(t, {
    bootstrap: {},
    flags,
    sidecarVariables: variables,
    isReady: false,
    runner: `unshare --pid --fork --kill-child --mount-proc sh ${folder}/pod.sh ${groups.join(' ')} ${folder}`,
  });
  await sidecar.logged(/^the kubelet is answered$/);
  t.notOk(sidecar.log.some(({ msg }) => msg.startsWith('the application')));
  writeFileSync(join(folder, 'come'), 'now\n');
  // The pipe opens when the application reads.
  const work = openSync(join(folder, 'work'), 'w');
  await sidecar.logged(/^the application runs: /);
  writeSync(work, 'more');
  t.equal(sidecar.process.exitCode, null);
  closeSync(work);
  t.equal(await sidecar.ended, 0);
  t.ok(sidecar.log.some(({ msg }) => msg === 'the application has gone: the sidecar ends'));
});

t.test('a pod that does not show the application is refused', skipOr(), async (t) => {
  const folder = t.testdir({ 'pod.sh': 'shift && exec "$@"' });
  const sidecar = await startSidecar(t, {
    bootstrap: {},
    flags,
    sidecarVariables: variables,
    isReady: false,
    runner: `unshare --pid --fork --kill-child --mount-proc sh ${folder}/pod.sh -`,
  });
  t.equal(await sidecar.ended, 1);
  t.ok(sidecar.log.some(({ msg }) => msg.includes('the pod needs shareProcessNamespace: true')));
});

function skipOr(): { skip: string } | object {
  const reason = bpfSkipReason('root', 'cgroup2', 'namespaces');
  return reason === undefined ? {} : { skip: reason };
}
