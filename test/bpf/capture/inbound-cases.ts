// What happens to connections that come to a pod, whoever captures them.

import { POD } from '../../support/bpf-rig.ts';
import { APPLICATION_PROBES, type RedirectionCase } from './redirected-pod.ts';

const { ipv4, ipv6 } = POD;

export const inboundCases: readonly RedirectionCase[] = [
  {
    name: 'a caller reaches the proxy, which learns what was called',
    run: async (t, pod, way) => {
      pod.capture(t, way);
      t.equal(await pod.reach(ipv4, 8080, pod.outside), `inbound for ${ipv4}:8080`);
      t.equal(await pod.reach(ipv6, 8080, pod.outside), `inbound for [${ipv6}]:8080`);
      t.equal(await pod.reach(ipv4, 9090, pod.outside), `inbound for ${ipv4}:9090`, 'nobody needs to listen there');
    },
  },

  {
    name: "the proxy's and excluded ports are reached as they are",
    run: async (t, pod, way) => {
      pod.capture(t, way);
      t.equal(await pod.reach(ipv4, APPLICATION_PROBES, pod.outside), 'application');
      t.equal(await pod.reach(ipv6, APPLICATION_PROBES, pod.outside), 'application');
      t.match(await pod.reach(ipv4, 15006, pod.outside), /^inbound/, 'one call, no loop');
    },
  },

  {
    name: 'of included ports alone, connections are captured',
    run: async (t, pod, way) => {
      pod.capture(t, way, { inbound: { include_ports: ['9000-9100'], exclude_ports: [9050] } });
      t.equal(await pod.reach(ipv4, 9090, pod.outside), `inbound for ${ipv4}:9090`);
      t.equal(await pod.reach(ipv4, 9050, pod.outside), 'ECONNREFUSED', 'excluded, and nobody listens');
      t.equal(await pod.reach(ipv6, 8080, pod.outside), 'application');
    },
  },

  {
    name: 'callers are refused while the proxy is dead and the policy is closed',
    run: async (t, pod, way) => {
      const capture = pod.capture(t, way, { policy: 'closed' });
      pod.closeInbound();
      await pod.proxy.kill();
      t.equal(await pod.reach(ipv4, 8080, pod.outside), 'ECONNREFUSED');
      t.equal(await pod.reach(ipv6, 8080, pod.outside), 'ECONNREFUSED');
      await pod.startProxy();
      pod.giveListeners(capture);
      t.equal(await pod.reach(ipv4, 8080, pod.outside), `inbound for ${ipv4}:8080`, 'the next proxy has them again');
      t.equal(await pod.reach(ipv6, 8080, pod.outside), `inbound for [${ipv6}]:8080`);
    },
  },

  {
    name: 'when it is released the application is called as before',
    run: async (t, pod, way) => {
      const capture = pod.capture(t, way);
      capture.release('detach');
      t.equal(await pod.reach(ipv4, 8080, pod.outside), 'application');
      t.equal(await pod.reach(ipv6, 8080, pod.outside), 'application');
    },
  },
];
