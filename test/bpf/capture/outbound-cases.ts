// What happens to an application's connections, whoever captures them.

import { OUTSIDE, POD } from '../../support/bpf-rig.ts';
import type { RedirectedPod, RedirectionCase } from './redirected-pod.ts';

const { ipv4, ipv6, other4, other6, nameserver, otherNameserver, nameserver6, metadata } = OUTSIDE;

export const outboundCases: readonly RedirectionCase[] = [
  {
    name: 'a connection goes to the proxy, which learns where it was going',
    run: async (t, pod, way) => {
      pod.capture(t, way);
      t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`);
      t.equal(await pod.reach(ipv6, 8080), `outbound for [${ipv6}]:8080`);
      t.equal(await pod.reach(`::ffff:${ipv4}`, 8080), `outbound for ${ipv4}:8080`, 'IPv4 by a socket of IPv6');
      t.equal(await pod.reach(ipv4, 1), `outbound for ${ipv4}:1`, 'nobody needs to listen there');
    },
  },

  {
    name: 'the application sees the address that it asked for',
    run: async (t, pod, way) => {
      pod.capture(t, way);
      const peerOf = async (ip: string) => {
        const outcome = await pod.application.call('connect', { ip, port: 8080 });
        return 'peer' in outcome ? outcome.peer : outcome.error;
      };
      t.equal(await peerOf(ipv4), `${ipv4}:8080`);
      t.equal(await peerOf(ipv6), `[${ipv6}]:8080`);
      t.equal(await peerOf(`::ffff:${ipv4}`), `[::ffff:${ipv4}]:8080`);
    },
  },

  {
    name: 'excluded ports, ranges of ports and ranges of addresses pass',
    run: async (t, pod, way) => {
      const exclude_cidrs = ['10.78.0.0/16', 'fd78::/16'];
      pod.capture(t, way, { outbound: { exclude_ports: [22, '3300-3310'], exclude_cidrs, include_ports: [8000] } });
      t.equal(await pod.reach(ipv4, 22), 'origin');
      t.equal(await pod.reach(ipv6, 3306), 'origin');
      t.equal(await pod.reach(`::ffff:${ipv4}`, 22), 'origin');
      t.equal(await pod.reach(other4, 8080), 'origin');
      t.equal(await pod.reach(other6, 8080), 'origin');
      t.equal(await pod.reach(`::ffff:${other4}`, 8080), 'origin');
      t.equal(await pod.reach(other4, 8000), 'origin', 'an exclude wins over an include');
      t.equal(await pod.reach(ipv4, 5432), `outbound for ${ipv4}:5432`);
    },
  },

  {
    name: 'of included ranges and ports alone, connections are captured',
    run: async (t, pod, way) => {
      pod.capture(t, way, {
        outbound: {
          include_cidrs: ['10.0.0.0/8', 'fd78::/16'],
          exclude_cidrs: ['10.77.0.0/16', '10.78.0.0/31'],
          include_ports: ['3306-3307'],
        },
      });
      t.equal(await pod.reach(nameserver, 8080), `outbound for ${nameserver}:8080`);
      t.equal(await pod.reach(other6, 8080), `outbound for [${other6}]:8080`);
      t.equal(await pod.reach(ipv4, 8080), 'origin', 'excluded from the range');
      t.equal(await pod.reach(ipv6, 8080), 'origin', 'in no list');
      t.equal(await pod.reach(ipv6, 3306), `outbound for [${ipv6}]:3306`, 'its port is included');
    },
  },

  {
    name: 'every address of IPv6 is none of IPv4',
    run: async (t, pod, way) => {
      pod.capture(t, way, { outbound: { include_cidrs: ['::/0'] } });
      t.equal(await pod.reach(ipv6, 8080), `outbound for [${ipv6}]:8080`);
      t.equal(await pod.reach(ipv4, 8080), 'origin');
      t.equal(await pod.reach(`::ffff:${ipv4}`, 8080), 'origin');
    },
  },

  {
    name: 'nothing is captured where nothing is included',
    run: async (t, pod, way) => {
      pod.capture(t, way, { outbound: { include_cidrs: [] } });
      t.equal(await pod.reach(ipv4, 8080), 'origin');
      t.equal(await pod.reach(ipv6, 8080), 'origin');
    },
  },

  {
    name: 'loopback and the metadata of clouds are left alone unless asked',
    run: async (t, pod, way) => {
      const capture = pod.capture(t, way);
      t.equal(await pod.reach('127.0.0.1', 8080), 'application');
      t.equal(await pod.reach('::1', 8080), 'application');
      t.equal(await pod.reach(metadata, 8080), 'origin');
      capture.release('detach');
      pod.capture(t, way, { outbound: { loopback: true, link_local: true } });
      t.equal(await pod.reach('127.0.0.1', 8080), 'outbound for 127.0.0.1:8080');
      t.equal(await pod.reach('::1', 8080), 'outbound for [::1]:8080');
      t.equal(await pod.reach(metadata, 8080), `outbound for ${metadata}:8080`);
      t.notMatch(await pod.reach('127.0.0.1', 15001), /for 127.0.0.1:15001/, "the proxy's own ports never");
    },
  },

  {
    name: "whoever calls the proxy's port is not sent there again",
    run: async (t, pod, way) => {
      pod.capture(t, way);
      t.equal(await pod.reach('127.0.0.1', 15001), 'outbound');
      t.equal(await pod.reach('::1', 15001), 'outbound');
      t.match(await pod.reach('127.0.0.1', 15006), /^inbound( for 127.0.0.1:15006)?$/);
    },
  },

  {
    name: "the proxy's own connections go out, told by its user, its group or its mark",
    run: async (t, pod, way) => {
      const inPod = { namespace: 'pod', cgroup: 'application' } as const;
      const byUid = await pod.rig.start({ ...inPod, uid: 1337, gid: 1000 });
      const byGid = await pod.rig.start({ ...inPod, uid: 1000, gid: 1337 });
      pod.capture(t, way, { proxy: { mark: 77 } });
      for (const ip of [ipv4, ipv6, `::ffff:${ipv4}`]) {
        t.equal(await pod.reach(ip, 8080, byUid), 'origin', `uid, ${ip}`);
        t.equal(await pod.reach(ip, 8080, byGid), 'origin', `gid, ${ip}`);
        t.match(
          await pod.application.call('connect', { ip, port: 8080, mark: 77 }),
          { seen: { name: 'origin' } },
          `mark, ${ip}`,
        );
        t.match(await pod.application.call('connect', { ip, port: 8080, mark: 78 }), { seen: { name: 'outbound' } });
      }
      for (const peer of [byUid, byGid]) await peer.end();
    },
  },

  {
    name: 'of included users and groups alone, connections are captured, and never those of the proxy',
    run: async (t, pod, way) => {
      const inPod = { namespace: 'pod', cgroup: 'application' } as const;
      pod.capture(t, way, { outbound: { include_uids: [1001, 1337], include_gids: [2002] } });
      for (const [uid, gid, isCaptured] of [
        [1001, 1000, true],
        [1000, 2002, true],
        [1000, 1000, false],
        [1001, 1337, false],
        [1337, 2002, false],
      ] as const) {
        const peer = await pod.rig.start({ ...inPod, uid, gid });
        for (const [ip, written] of [
          [ipv4, ipv4],
          [ipv6, `[${ipv6}]`],
        ] as const) {
          t.equal(
            await pod.reach(ip, 8080, peer),
            isCaptured ? `outbound for ${written}:8080` : 'origin',
            `${uid}:${gid}`,
          );
        }
        await peer.end();
      }
    },
  },

  {
    name: 'the proxy calls itself by an address of the pod without a loop',
    run: async (t, pod, way) => {
      pod.capture(t, way);
      t.equal(await pod.reach(POD.ipv4, 8080, pod.proxy), 'application');
      t.equal(await pod.reach(POD.ipv6, 8080, pod.proxy), 'application');
    },
  },

  {
    name: 'DNS goes to the proxy, and its answers come from the server that was asked',
    run: async (t, pod, way) => {
      pod.capture(t, way, { dns: { servers: [nameserver, nameserver6] } });
      for (const isConnected of [true, false]) {
        const ask = (ip: string, port = 53) =>
          pod.application.call('ask', { ip, port, isConnected, text: 'a.example' });
        const how = isConnected ? 'connected' : 'not connected';
        t.same(await ask(nameserver), { answer: 'proxy: a.example', source: `${nameserver}:53` }, how);
        t.same(await ask(nameserver6), { answer: 'proxy: a.example', source: `[${nameserver6}]:53` }, how);
        t.same(
          await ask(`::ffff:${nameserver}`),
          { answer: 'proxy: a.example', source: `[::ffff:${nameserver}]:53` },
          how,
        );
        t.same(await ask(otherNameserver), { answer: 'nameserver: a.example', source: `${otherNameserver}:53` }, how);
        t.same(await ask(ipv4, 5353), { answer: 'origin: a.example', source: `${ipv4}:5353` }, 'other datagrams');
      }
      t.equal(await pod.reach(nameserver, 53), `dns for ${nameserver}:53`, 'over TCP');
      t.equal(await pod.reach(nameserver6, 53), `dns for [${nameserver6}]:53`, 'over TCP');
      t.equal(await pod.reach(otherNameserver, 53), `outbound for ${otherNameserver}:53`, 'another server over TCP');
      const own = await pod.proxy.call('ask', { ip: nameserver, port: 53, isConnected: false, text: 'b' });
      t.match(own, { answer: 'nameserver: b' }, "the proxy's own questions go out");
    },
  },

  {
    name: 'DNS of any server, and none when its port is excluded',
    run: async (t, pod, way) => {
      const ask = (ip: string) => pod.application.call('ask', { ip, port: 53, isConnected: false, text: 'q' });
      const capture = pod.capture(t, way, { dns: {} });
      t.match(await ask(otherNameserver), { answer: 'proxy: q', source: `${otherNameserver}:53` });
      capture.release('detach');
      pod.capture(t, way, { dns: {}, outbound: { exclude_ports: [53] } });
      t.match(await ask(otherNameserver), { answer: 'nameserver: q' });
      t.equal(await pod.reach(otherNameserver, 53), 'origin');
    },
  },

  {
    name: 'connections are refused while the proxy is dead and the policy is closed',
    run: async (t, pod, way) => {
      pod.capture(t, way, { policy: 'closed' });
      await pod.proxy.kill();
      t.equal(await pod.reach(ipv4, 8080), 'ECONNREFUSED');
      t.equal(await pod.reach(ipv6, 8080), 'ECONNREFUSED');
      t.equal(await pod.reach(`::ffff:${ipv4}`, 8080), 'ECONNREFUSED');
      await pod.startProxy();
      t.equal(await pod.reach(ipv4, 8080), `outbound for ${ipv4}:8080`, 'the next proxy has them again');
    },
  },

  {
    name: 'of thousands that connect and reset, every destination is found',
    run: async (t, pod, way) => {
      pod.capture(t, way);
      for (const [ip, written] of [
        [ipv4, ipv4],
        [ipv6, `[${ipv6}]`],
      ] as const) {
        t.same(await stormed(pod, { ip, port: 8080, count: 3000 }), { accepted: 3000, found: 3000 }, written);
      }
    },
  },

  {
    name: 'when it is released nothing is captured any more',
    run: async (t, pod, way) => {
      const capture = pod.capture(t, way, { dns: {} });
      capture.release('detach');
      t.equal(await pod.reach(ipv4, 8080), 'origin');
      t.equal(await pod.reach(ipv6, 8080), 'origin');
      t.match(await pod.application.call('ask', { ip: nameserver, port: 53, isConnected: false, text: 'q' }), {
        answer: 'nameserver: q',
      });
    },
  },
];

/** In portions that fit into the backlog: what is dropped there is no matter of redirection. */
export async function stormed(
  pod: RedirectedPod,
  { ip, port, count }: { ip: string; port: number; count: number },
): Promise<{ accepted: number; found: number }> {
  const expected = ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
  const sum = { accepted: 0, found: 0 };
  await pod.proxy.call('accepted', { expected, isCountingOnly: true });
  for (let sent = 0; sent < count; sent += PORTION) {
    const { failed } = await pod.application.call('storm', { ip, port, count: PORTION });
    for (let here = 0; here < PORTION - failed; ) {
      const { accepted, found } = await pod.proxy.call('accepted', { expected, isCountingOnly: true });
      here += accepted;
      sum.accepted += accepted;
      sum.found += found;
    }
  }
  await pod.proxy.call('accepted', { expected, isCountingOnly: false });
  return sum;
}

const PORTION = 500;
