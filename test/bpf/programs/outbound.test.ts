// The programs at this process's own cgroup, in a network namespace of its own where no packet leaves: which verdict an
// address gets, and what becomes of sockets and ports that are used twice. Whole connections of a pod are in
// test/bpf/capture.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { addressBytes } from '../../../bpf/capture/address-bytes.ts';
import {
  cidrLayout,
  OutboundCounter,
  PortRule,
  portSetLayout,
  Rule,
  writeCidr,
} from '../../../bpf/generated/outbound.ts';
import type { ConstantValues } from '../../../bpf/loader/constant-writer.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { type LoadedObject, loadObject } from '../../../bpf/loader/loaded-object.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import type { IpAddress } from '../../../config/address.ts';
import { AttachType, createLink } from '../../../native/bpf-link.ts';
import { enterNetworkNamespace, networkNamespaceCookie } from '../../../native/namespaces.ts';
import {
  accept,
  bind,
  close,
  connect,
  createSocket,
  listen,
  originalDestination,
  remoteAddress,
  setIpv6Only,
  setLinger,
  setReuseAddress,
} from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import { bpfSkipReason, cgroupRoot } from '../../support/bpf-environment.ts';

const PROXY_PORT = 15001;
const PLACES = [
  ['or_connect4', AttachType.inet4Connect],
  ['or_connect6', AttachType.inet6Connect],
  ['or_peer4', AttachType.inet4Getpeername],
  ['or_peer6', AttachType.inet6Getpeername],
  ['or_sockops', AttachType.sockOps],
  ['or_getsockopt', AttachType.getsockopt],
] as const;
const FAR = '10.9.8.7';

type Counter = keyof typeof OutboundCounter;

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'namespaces') ?? false;

interface Place {
  readonly cgroup: OwnCgroup;
  /** The proxy's listeners. */
  readonly ip4: number;
  readonly ip6: number;
}

const cases: readonly { readonly name: string; readonly run: (t: Test, place: Place) => void }[] = [
  {
    name: 'an address is captured or not by what it is',
    run: (t, { cgroup }) => {
      const object = attached(t, cgroup, {});
      const verdicts: readonly (readonly [Counter, readonly string[]])[] = [
        [
          'PASSED_LOOPBACK',
          ['127.0.0.1', '127.255.255.255', '0.0.0.0', '::1', '::', '::ffff:127.0.0.6', '::ffff:0.0.0.0'],
        ],
        ['PASSED_LINK_LOCAL', ['169.254.0.1', '169.254.169.254', '::ffff:169.254.169.254', 'fe80::1', 'febf::1']],
        ['PASSED_METADATA', ['168.63.129.16', '100.100.100.200', '::ffff:100.100.100.200', 'fd00:ec2::254']],
        ['PASSED_MULTICAST', ['224.0.0.1', '239.255.255.255', '255.255.255.255', '::ffff:224.0.0.1', 'ff02::1']],
        ['CAPTURED_TCP4', ['126.255.255.255', '128.0.0.1', '169.253.255.255', '169.255.0.0', '168.63.129.17']],
        ['CAPTURED_TCP4', ['100.100.100.201', '223.255.255.255', '240.0.0.1', '0.0.0.1', '255.255.255.254', '1.2.3.4']],
        [
          'CAPTURED_TCP6',
          ['::2', '1::1', 'fe7f::1', 'fec0::1', 'feff::1', 'fd00:ec2::255', 'fd00:ec2:1::254', '64:ff9b::1'],
        ],
      ];
      for (const [verdict, addresses] of verdicts)
        for (const ip of addresses) t.equal(verdictOf(object, ip, 443), verdict, ip);
      t.equal(verdictOf(object, `::ffff:${FAR}`, 443), 'CAPTURED_TCP4');
    },
  },

  {
    name: 'what is asked for is captured wherever it is, except multicast and the proxy itself',
    run: (t, { cgroup }) => {
      const object = attached(t, cgroup, { captures_loopback: 1, captures_link_local: 1 });
      for (const ip of ['127.0.0.1', '0.0.0.0', '169.254.169.254', '168.63.129.16'])
        t.equal(verdictOf(object, ip, 443), 'CAPTURED_TCP4', ip);
      for (const ip of ['::1', 'fe80::1', 'fd00:ec2::254']) t.equal(verdictOf(object, ip, 443), 'CAPTURED_TCP6', ip);
      t.equal(verdictOf(object, '224.0.0.1', 443), 'PASSED_MULTICAST');
      for (const port of [15001, 15006]) t.equal(verdictOf(object, '127.0.0.1', port), 'PASSED_PROXY_PORT', `${port}`);
    },
  },

  {
    name: 'the first and the last port of a range are in it, and the longest prefix decides',
    run: (t, { cgroup }) => {
      const object = attached(t, cgroup, { default_capture: 0 });
      setPorts(object, PortRule.PORT_INCLUDED, [8000, 8007, 8008, 65535]);
      setPorts(object, PortRule.PORT_EXCLUDED, [8008]);
      setRange(object, '10.9.0.0', 96 + 16, Rule.INCLUDE);
      setRange(object, '10.9.8.0', 96 + 24, Rule.EXCLUDE);
      setRange(object, '10.9.8.7', 128, Rule.INCLUDE);
      setRange(object, 'fd09::', 16, Rule.INCLUDE);
      const verdicts = [8000, 8007, 65535, 7999, 8001, 8008].map((port) => verdictOf(object, '10.1.1.1', port));
      const [taken, left] = ['CAPTURED_TCP4', 'PASSED_NOT_INCLUDED'];
      t.same(verdicts, [taken, taken, taken, left, left, 'PASSED_PORT']);
      t.equal(verdictOf(object, '10.9.1.1', 443), taken);
      t.equal(verdictOf(object, '10.9.8.1', 443), 'PASSED_CIDR');
      t.equal(verdictOf(object, '10.9.8.7', 443), taken);
      t.equal(verdictOf(object, '::ffff:10.9.8.1', 443), 'PASSED_CIDR');
      t.equal(verdictOf(object, 'fd09::1', 443), 'CAPTURED_TCP6');
      t.equal(verdictOf(object, 'fd0a::1', 443), left);
    },
  },

  {
    name: 'the innermost cgroup that has a rule decides',
    run: (t, { cgroup }) => {
      const object = attached(t, cgroup, {});
      setCgroupRule(object, cgroup.parent, Rule.EXCLUDE);
      t.equal(verdictOf(object, FAR, 443), 'PASSED_CGROUP', 'excluded with the one above');
      setCgroupRule(object, cgroup.own, Rule.INCLUDE);
      t.equal(verdictOf(object, FAR, 443), 'CAPTURED_TCP4');
      const included = attached(t, cgroup, { default_cgroup: 0 });
      t.equal(verdictOf(included, FAR, 443), 'PASSED_CGROUP', 'none has one');
      setCgroupRule(included, cgroup.parent, Rule.INCLUDE);
      t.equal(verdictOf(included, FAR, 443), 'CAPTURED_TCP4');
    },
  },

  {
    name: "the proxy's cgroup passes with all below it, and so does every namespace but the one named",
    run: (t, { cgroup, ip4 }) => {
      const proxy = attached(t, cgroup, { proxy_cgroup: idOf(cgroup.parent) });
      t.equal(verdictOf(proxy, FAR, 443), 'PASSED_PROXY_CGROUP');
      const cookie = networkNamespaceCookie(ip4);
      if (typeof cookie === 'number') throw new Error(`cookie: ${cookie}`);
      t.equal(verdictOf(attached(t, cgroup, { netns_cookie: cookie }), FAR, 443), 'CAPTURED_TCP4');
      t.equal(verdictOf(attached(t, cgroup, { netns_cookie: cookie + 1n }), FAR, 443), 'PASSED_NETNS');
    },
  },

  {
    name: 'open, a connection is left alone where nobody listens at the port of its family',
    run: (t, { cgroup }) => {
      const object = attached(t, cgroup, { fail_open: 1, outbound_port: 15999 });
      t.equal(verdictOf(object, FAR, 443), 'PASSED_NO_LISTENER');
      listener(t, '127.0.0.1', 15999);
      t.equal(verdictOf(object, FAR, 443), 'CAPTURED_TCP4');
      t.equal(verdictOf(object, '::ffff:10.1.1.1', 443), 'CAPTURED_TCP4');
      t.equal(verdictOf(object, 'fd09::1', 443), 'PASSED_NO_LISTENER');
      listener(t, '::1', 15999);
      t.equal(verdictOf(object, 'fd09::1', 443), 'CAPTURED_TCP6');
    },
  },

  {
    name: 'a socket that is connected a second time shows where it is then',
    run: (t, { cgroup }) => {
      attached(t, cgroup, { outbound_port: 15998 });
      const fd = stream(t, AddressFamily.ipv4);
      connect(fd, { kind: 'ip', ip: FAR, port: 443 });
      t.not(connect(fd, { kind: 'ip', ip: '127.0.0.1', port: 1 }), 0, 'nobody listens where it was sent, nor here');
      listener(t, '127.0.0.1', 15998);
      connect(fd, { kind: 'ip', ip: '127.0.0.1', port: 15998 });
      t.same(remoteAddress(fd), { kind: 'ip', ip: '127.0.0.1', port: 15998 });
    },
  },

  {
    name: 'who connects to the proxy itself is not taken for who had the port before',
    run: (t, { cgroup, ip4 }) => {
      attached(t, cgroup, {});
      const from = { kind: 'ip', ip: '127.0.0.1', port: 41_234 } as const;
      const first = connected(t, from, { ip: FAR, port: 443 }, ip4);
      t.same(originalDestination(first.accepted), { kind: 'ip', ip: FAR, port: 443 });
      t.same(originalDestination(first.accepted), { kind: 'ip', ip: FAR, port: 443 }, 'asked twice');
      first.reset();
      const second = connected(t, from, { ip: '127.0.0.1', port: PROXY_PORT }, ip4);
      t.same(remoteAddress(second.accepted), from, 'from the same port');
      t.equal(originalDestination(second.accepted), undefined);
      const third = connected(t, { ...from, port: 41_235 }, { ip: FAR, port: 443 }, ip4);
      third.reset();
      const elsewhere = listener(t, '127.0.0.5');
      const other = connected(t, { ...from, port: 41_235 }, { ip: '127.0.0.5', port: PROXY_PORT }, elsewhere);
      t.equal(originalDestination(other.accepted), undefined, "by another of the machine's addresses");
    },
  },

  {
    name: "connections from one port to both of the proxy's ports are not taken for each other",
    run: (t, { cgroup, ip4 }) => {
      attached(t, cgroup, { dns_port: 15053, dns_any: 1 });
      const from = { kind: 'ip', ip: '127.0.0.1', port: 41_236 } as const;
      const first = connected(t, from, { ip: FAR, port: 443 }, ip4);
      const query = connected(t, from, { ip: FAR, port: 53 }, listener(t, '127.0.0.1', 15053));
      t.same(remoteAddress(query.accepted), remoteAddress(first.accepted));
      t.same(originalDestination(first.accepted), { kind: 'ip', ip: FAR, port: 443 });
      t.same(originalDestination(query.accepted), { kind: 'ip', ip: FAR, port: 53 });
    },
  },

  {
    name: 'a destination of either family is told at its level, whatever the listener',
    run: (t, { cgroup, ip4, ip6 }) => {
      attached(t, cgroup, {});
      const any = { kind: 'ip', ip: '127.0.0.1', port: 0 } as const;
      const v4 = connected(t, any, { ip: '1.2.3.4', port: 65535 }, ip4);
      t.same(originalDestination(v4.accepted), { kind: 'ip', ip: '1.2.3.4', port: 65535 });
      const v6 = connected(t, { kind: 'ip', ip: '::1', port: 0 }, { ip: 'fd01:2:3::4', port: 1 }, ip6);
      t.same(originalDestination(v6.accepted), { kind: 'ip', ip: 'fd01:2:3::4', port: 1 });
    },
  },
];

t.test('outbound', { skip }, async (t) => {
  await enterEmptyNamespace(t);
  const place = { cgroup: ownCgroup(t), ip4: listener(t, '127.0.0.1'), ip6: listener(t, '::1') };
  for (const { name, run } of cases)
    await t.test(name, (t) => {
      run(t, place);
      t.end();
    });
});

/** Loopback alone is up, so what is not captured goes nowhere. Only this thread is there. */
async function enterEmptyNamespace(t: Test): Promise<void> {
  const script = 'ip link set lo up; echo ready; exec cat';
  const holder = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const before = openSync('/proc/thread-self/ns/net', 'r');
  const fd = openSync(`/proc/${holder.pid}/ns/net`, 'r');
  if (enterNetworkNamespace(fd) !== 0) throw new Error('setns');
  closeSync(fd);
  t.teardown(async () => {
    enterNetworkNamespace(before);
    closeSync(before);
    holder.stdin.end();
    await once(holder, 'exit');
  });
}

interface OwnCgroup {
  readonly parent: string;
  readonly own: string;
}

/** Two cgroups, one in the other; this process is in the inner one. */
function ownCgroup(t: Test): OwnCgroup {
  const before = join(cgroupRoot()!, /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))![1]!);
  const parent = join(cgroupRoot()!, `outrigger-test-${process.pid}-outbound`);
  const own = join(parent, 'inner');
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'cgroup.procs'), String(process.pid));
  t.teardown(() => {
    for (const link of links) close(link);
    writeFileSync(join(before, 'cgroup.procs'), String(process.pid));
    rmdirSync(own);
    rmdirSync(parent);
  });
  return { parent, own };
}

let links: readonly number[] = [];

/** In the place of what was attached before. */
function attached(t: Test, { own }: OwnCgroup, constants: ConstantValues): LoadedObject {
  const files = ObjectFiles.open();
  if (isFailure(files)) throw new Error(files.reason);
  const object = loadObject(files, 'outbound', { constants: { outbound_port: PROXY_PORT, ...constants } });
  if (isFailure(object)) throw new Error(object.reason);
  const folder = openSync(own, 'r');
  for (const link of links) close(link);
  links = PLACES.map(([program, type]) => createLink(object.programFd(program), folder, type));
  closeSync(folder);
  t.teardown(() => object.close());
  if (links.some((link) => link < 0)) throw new Error(`links: ${links}`);
  return object;
}

/** Connects, and tells which counter of verdicts moved. Where the connection goes does not matter. */
function verdictOf(object: LoadedObject, ip: string, port: number): string {
  const before = countersOf(object);
  const fd = createSocket(ip.includes(':') ? AddressFamily.ipv6 : AddressFamily.ipv4);
  connect(fd, { kind: 'ip', ip, port });
  close(fd);
  const after = countersOf(object);
  const moved = Object.keys(OutboundCounter).filter((_, index) => after[index] !== before[index]);
  return moved.filter((name) => !name.startsWith('ORIGINAL')).join(' ');
}

function listener(t: Test, ip: string, port = PROXY_PORT): number {
  const family = ip.includes(':') ? AddressFamily.ipv6 : AddressFamily.ipv4;
  const fd = stream(t, family);
  if (family === AddressFamily.ipv6) setIpv6Only(fd, true);
  setReuseAddress(fd);
  const bound = bind(fd, { kind: 'ip', ip, port });
  if (bound < 0 || listen(fd, 1000) < 0) throw new Error(`${ip}:${port} cannot be bound: ${bound}`);
  return fd;
}

function stream(t: Test, family: number): number {
  const fd = createSocket(family);
  t.teardown(() => close(fd));
  return fd;
}

interface Connected {
  readonly accepted: number;
  /** Leaves nothing of the client's end, so that its port can be used again. */
  reset(): void;
}

/** Accepted are what is connected meanwhile; the one that comes from the client is returned. */
function connected(t: Test, from: IpAddress, to: { ip: string; port: number }, listening: number): Connected {
  for (let fd = accept(listening); fd >= 0; fd = accept(listening)) close(fd);
  const client = createSocket(from.ip.includes(':') ? AddressFamily.ipv6 : AddressFamily.ipv4);
  setReuseAddress(client);
  bind(client, from);
  connect(client, { kind: 'ip', ...to });
  const accepted = accept(listening);
  if (accepted < 0) throw new Error(`nothing to accept: ${accepted}`);
  t.teardown(() => close(accepted));
  let isOpen = true;
  const reset = () => {
    if (isOpen) setLinger(client, 0);
    if (isOpen) close(client);
    isOpen = false;
  };
  t.teardown(reset);
  return { accepted, reset };
}

function setPorts(object: LoadedObject, rule: number, ports: readonly number[]): void {
  const bits = new Uint8Array(portSetLayout.bytes);
  for (const port of ports) bits[port >> 3]! |= 1 << (port & 7);
  set(object, 'ports_out', u32(rule), bits);
}

function setRange(object: LoadedObject, ip: string, prefixBits: number, rule: number): void {
  const key = new Uint8Array(cidrLayout.bytes);
  writeCidr(new DataView(key.buffer), 0, { prefixBits, address: { ip: addressBytes(ip)! } });
  set(object, 'cidrs_out', key, Uint8Array.of(rule));
}

function setCgroupRule(object: LoadedObject, folder: string, rule: number): void {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, idOf(folder), true);
  set(object, 'cgroups', key, Uint8Array.of(rule));
}

function idOf(folder: string): bigint {
  return statSync(folder, { bigint: true }).ino;
}

function set(object: LoadedObject, map: string, key: Uint8Array, value: Uint8Array): void {
  const result = object.map(map).update(key, value);
  if (result < 0) throw new Error(`${map}: ${result}`);
}

function countersOf(object: LoadedObject): bigint[] {
  const value = new Uint8Array(8);
  return Object.values(OutboundCounter).map((counter) => {
    object.map('counters').lookup(u32(counter), value);
    return new DataView(value.buffer).getBigUint64(0, true);
  });
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, 0, 0, 0);
}
