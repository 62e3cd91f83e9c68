// What eBPF alone can do, or does in its own way.

import { close } from '../../../native/socket.ts';
import { cgroupRoot } from '../../support/bpf-environment.ts';
import { OUTSIDE, POD } from '../../support/bpf-rig.ts';
import { stormed } from './outbound-cases.ts';
import { APPLICATION_PORT, type RedirectedPod, type RedirectionCase } from './redirected-pod.ts';

const { ipv4, ipv6, nameserver } = OUTSIDE;

export const ebpfCases: readonly RedirectionCase[] = [
  {
    name: 'connections go out as if there were no mesh while the proxy is dead and the policy is open',
    run: async (t, pod, way) => {
      const capture = pod.capture(t, way, { policy: 'open', dns: {} });
      t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`);
      pod.closeInbound();
      await pod.proxy.kill();
      for (const ip of [ipv4, ipv6, `::ffff:${ipv4}`]) t.equal(await pod.reach(ip, 8080), 'origin', ip);
      t.equal(await pod.reach(POD.ipv4, APPLICATION_PORT, pod.outside), 'application', 'inbound');
      t.equal(await pod.reach(POD.ipv6, APPLICATION_PORT, pod.outside), 'application', 'inbound');
      t.match(await askOf(pod, nameserver), { answer: 'nameserver: q' }, 'DNS');
      await pod.startProxy();
      pod.giveListeners(capture);
      t.equal(await pod.reach(ipv6, 8080), `outbound for [${ipv6}]:8080`, 'the next proxy has them again');
      t.equal(await pod.reach(POD.ipv4, APPLICATION_PORT, pod.outside), `inbound for ${POD.ipv4}:8080`);
      t.match(await askOf(pod, nameserver), { answer: 'proxy: q' });
    },
  },
  {
    name: 'no connection is tracked',
    run: async (t, pod, way) => {
      pod.capture(t, way, { dns: {} });
      await pod.reach(ipv4, 8080);
      await pod.reach(ipv6, 8080);
      await askOf(pod, nameserver);
      await pod.reach(POD.ipv4, APPLICATION_PORT, pod.outside);
      const count = pod.rig.run('pod', 'cat', '/proc/sys/net/netfilter/nf_conntrack_count');
      t.equal(count.trim(), '0');
    },
  },
  {
    name: 'the proxy is told by its cgroup, inside of the one that is captured',
    run: async (t, pod, way) => {
      pod.capture(t, way, { proxy: { uids: [], gids: [] } }, { cgroup: pod.rig.podCgroup });
      t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`);
      for (const ip of [ipv4, ipv6, `::ffff:${ipv4}`]) t.equal(await pod.reach(ip, 8080, pod.proxy), 'origin', ip);
    },
  },
  {
    name: 'cgroups are included and excluded by their paths',
    run: async (t, pod, way) => {
      const path = pod.rig.applicationCgroup.slice(cgroupRoot()!.length);
      const whole = { cgroup: pod.rig.podCgroup };
      const other = await pod.rig.start({ namespace: 'pod', cgroup: 'sidecar', uid: 1000 });
      const told = { uids: [1337], gids: [1337] };
      const excluded = pod.capture(t, way, { outbound: { exclude_cgroups: [path] }, proxy: told }, whole);
      t.equal(await pod.reach(ipv4, 8080), 'origin');
      excluded.release('detach');
      const nowhere = { ...whole, sidecarCgroup: null };
      const included = pod.capture(t, way, { outbound: { include_cgroups: [path] }, proxy: told }, nowhere);
      t.equal(await pod.reach(ipv4, 8080, other), 'origin', 'not in the list');
      t.match(await pod.reach(ipv4, 8080), /^outbound/);
      included.release('detach');
      await other.end();
    },
  },
  {
    name: 'a process of the cgroup that is in another network namespace is left alone',
    run: async (t, pod, way) => {
      pod.capture(t, way);
      const elsewhere = await pod.rig.start({ namespace: 'outside', cgroup: 'application', uid: 1000 });
      t.equal(await pod.reach(ipv4, 8080, elsewhere), 'origin');
      await elsewhere.end();
    },
  },
  {
    name: 'more connections than the map of destinations holds, and every destination is found',
    run: async (t, pod, way) => {
      pod.capture(t, way);
      t.same(await stormed(pod, { ip: ipv4, port: 8080, count: 20_000 }), { accepted: 20_000, found: 20_000 });
      t.equal(await pod.reach(ipv6, 8080), `outbound for [${ipv6}]:8080`, 'and the next one too');
    },
  },
  {
    name: 'workers that share the inbound port share its connections',
    run: async (t, pod, way) => {
      const capture = pod.capture(t, way);
      const proxy = await pod.rig.start({ namespace: 'pod', cgroup: 'sidecar', uid: 1337 });
      const workers = ['one', 'two', 'three'];
      const listening = [];
      for (const name of workers)
        listening.push(await proxy.listen({ name, ip: POD.ipv4, port: 15007, reusePort: true }));
      capture.setListener!(4, listening[0]!.fd);
      const counts = new Map(workers.map((name) => [name, 0]));
      for (let index = 0; index < 300; index++) {
        const answer = await pod.reach(POD.ipv4, 8080, pod.outside);
        counts.set(answer, counts.get(answer)! + 1);
      }
      t.comment(`connections by worker: ${[...counts.values()].join(', ')}`);
      for (const [worker, count] of counts) t.ok(count > 50, worker);
      for (const { fd } of listening) close(fd);
      await proxy.end();
    },
  },
  {
    name: 'a listener that closes and comes back has the connections again',
    run: async (t, pod, way) => {
      const capture = pod.capture(t, way);
      const ids = pod.inboundIds;
      t.match(await pod.reach(POD.ipv4, 8080, pod.outside), /^inbound for/);
      pod.closeInbound();
      for (const id of Object.values(ids)) await pod.proxy.call('stop', { id });
      t.equal(await pod.reach(POD.ipv4, 8080, pod.outside), 'ECONNREFUSED');
      t.equal(await pod.reach(POD.ipv6, 8080, pod.outside), 'ECONNREFUSED');
      await pod.listenInbound();
      pod.giveListeners(capture);
      t.equal(await pod.reach(POD.ipv4, 8080, pod.outside), `inbound for ${POD.ipv4}:8080`);
      t.equal(await pod.reach(POD.ipv6, 8080, pod.outside), `inbound for [${POD.ipv6}]:8080`);
    },
  },
];

async function askOf(pod: RedirectedPod, ip: string) {
  return pod.application.call('ask', { ip, port: 53, isConnected: false, text: 'q' });
}
