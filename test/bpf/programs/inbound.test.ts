// or_lookup run by the kernel on made-up look-ups (BPF_PROG_TEST_RUN), with real listeners in its map. The kernel lets the
// interface be 0 alone; what comes over loopback is tested with real connections (test/bpf/capture).
// https://docs.kernel.org/bpf/prog_sk_lookup.html

import t, { type Test } from 'tap';
import { addressBytes } from '../../../bpf/capture/address-bytes.ts';
import { InboundCounter, ListenerSlot, PortRule, portSetLayout } from '../../../bpf/generated/inbound.ts';
import type { ConstantValues } from '../../../bpf/loader/constant-writer.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { type LoadedObject, loadObject } from '../../../bpf/loader/loaded-object.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { testRun } from '../../../native/bpf-program.ts';
import { bind, close, createSocket, listen, setIpv6Only } from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';

const UDP = 17;
const TCP = 6;
const SK_DROP = 0;
const SK_PASS = 1;

interface LookUp {
  readonly protocol?: number;
  readonly from?: string;
  readonly to?: string;
  readonly port: number;
}

type Counter = keyof typeof InboundCounter;

const skip = bpfSkipReason('root', 'libbpf', 'objects') ?? false;

t.test(
  'a connection from outside goes to the listener of its family, everything else where it would',
  { skip },
  (t) => {
    const object = loaded(t, {});
    exclude(object, 15021);
    const ip4 = listener(t, AddressFamily.ipv4);
    const ip6 = listener(t, AddressFamily.ipv6);
    setListener(object, ListenerSlot.LISTENER4, ip4);
    setListener(object, ListenerSlot.LISTENER6, ip6);
    const v6 = { from: 'fd00::9', to: 'fd00::1' };
    const cases: readonly [string, LookUp, Counter, number?][] = [
      ['IPv4', { port: 8080 }, 'STEERED4', ip4],
      ['IPv6', { ...v6, port: 8080 }, 'STEERED6', ip6],
      ['the highest port', { port: 65535 }, 'STEERED4', ip4],
      ['UDP', { protocol: UDP, port: 53 }, 'PASSED_PROTOCOL'],
      ["the proxy's inbound port", { port: 15006 }, 'PASSED_PROXY_PORT'],
      ["the proxy's outbound port", { port: 15001 }, 'PASSED_PROXY_PORT'],
      ['no packet, but the question who listens', { from: '0.0.0.0', to: '127.0.0.1', port: 15053 }, 'PASSED_LOOPBACK'],
      ['the same of IPv6', { from: '::', to: '::1', port: 15053 }, 'PASSED_LOOPBACK'],
      ['an excluded port', { port: 15021 }, 'PASSED_PORT'],
      ['the port before it', { port: 15020 }, 'STEERED4', ip4],
      ['the port after it', { port: 15022 }, 'STEERED4', ip4],
    ];
    for (const [name, lookUp, counter, chosen] of cases) {
      t.same(run(object, lookUp), { result: SK_PASS, counter, chosen: cookieOf(object, chosen, { ip4, ip6 }) }, name);
    }
    t.end();
  },
);

t.test('only included ports, where ports are included', { skip }, (t) => {
  const object = loaded(t, { default_capture: 0 });
  setPorts(object, PortRule.PORT_INCLUDED, [80, 81]);
  setPorts(object, PortRule.PORT_EXCLUDED, [81]);
  setListener(object, ListenerSlot.LISTENER4, listener(t, AddressFamily.ipv4));
  t.equal(run(object, { port: 80 }).counter, 'STEERED4');
  t.equal(run(object, { port: 81 }).counter, 'PASSED_PORT', 'excludes win');
  t.equal(run(object, { port: 82 }).counter, 'PASSED_NOT_INCLUDED');
  t.end();
});

t.test('without a listener a connection is refused, or goes to the application, as the policy says', { skip }, (t) => {
  const closed = loaded(t, { fail_open: 0 });
  t.same(run(closed, { port: 80 }), { result: SK_DROP, counter: 'REFUSED_NO_LISTENER', chosen: 0n });
  const open = loaded(t, { fail_open: 1 });
  t.same(run(open, { port: 80 }), { result: SK_PASS, counter: 'PASSED_NO_LISTENER', chosen: 0n });
  t.end();
});

t.test('the spare listener takes over when the first one closes', { skip }, (t) => {
  const object = loaded(t, {});
  const first = listener(t, AddressFamily.ipv4, false);
  setListener(object, ListenerSlot.LISTENER4, first);
  setListener(object, ListenerSlot.SPARE_LISTENER4, listener(t, AddressFamily.ipv4));
  const before = run(object, { port: 80 });
  t.equal(close(first), 0);
  const after = run(object, { port: 80 });
  t.equal(after.counter, 'STEERED4');
  t.not(after.chosen, before.chosen);
  t.end();
});

t.test(
  'an IPv6 listener that takes IPv4 too may stand for both; one that does not is no listener for IPv4',
  { skip },
  (t) => {
    const object = loaded(t, {});
    const dual = listener(t, AddressFamily.ipv6);
    setListener(object, ListenerSlot.LISTENER4, dual);
    t.equal(run(object, { port: 80 }).counter, 'STEERED4');
    const only = createSocket(AddressFamily.ipv6);
    t.teardown(() => close(only));
    setIpv6Only(only, true);
    bind(only, { kind: 'ip', ip: '::1', port: 0 });
    listen(only, 1);
    setListener(object, ListenerSlot.LISTENER4, only);
    t.same(run(object, { port: 80 }), { result: SK_DROP, counter: 'REFUSED_NO_LISTENER', chosen: 0n });
    t.end();
  },
);

t.test('a kernel that does not tell the interface: the pod itself is known by its address', { skip }, (t) => {
  const object = loaded(t, { has_ingress_ifindex: 0, fail_open: 1 });
  const steered = 'PASSED_NO_LISTENER';
  t.equal(run(object, { from: '10.0.0.9', to: '10.0.0.1', port: 80 }).counter, steered);
  t.equal(run(object, { from: '10.0.0.1', to: '10.0.0.1', port: 80 }).counter, 'PASSED_LOOPBACK');
  t.equal(run(object, { from: '127.0.0.6', to: '10.0.0.1', port: 80 }).counter, 'PASSED_LOOPBACK');
  t.equal(run(object, { from: 'fd00::9', to: 'fd00::1', port: 80 }).counter, steered);
  t.equal(run(object, { from: 'fd00::1', to: 'fd00::1', port: 80 }).counter, 'PASSED_LOOPBACK');
  t.end();
});

t.test(
  "connections from ::6 are the proxy's where the address is the pod's own, and anybody's elsewhere",
  { skip },
  (t) => {
    const fromIstioSource = { from: '::6', to: 'fd00::1', port: 80 };
    t.equal(run(loaded(t, { has_istio_source6: 1 }), fromIstioSource).counter, 'PASSED_LOOPBACK');
    t.equal(run(loaded(t, {}), fromIstioSource).counter, 'REFUSED_NO_LISTENER');
    t.end();
  },
);

function loaded(t: Test, constants: ConstantValues): LoadedObject {
  const files = ObjectFiles.open();
  if (isFailure(files)) throw new Error(files.reason);
  const object = loadObject(files, 'inbound', { constants });
  if (isFailure(object)) throw new Error(object.reason);
  t.teardown(() => object.close());
  return object;
}

function listener(t: Test, family: number, closesAtEnd = true): number {
  const fd = createSocket(family);
  if (closesAtEnd) t.teardown(() => close(fd));
  bind(fd, { kind: 'ip', ip: family === AddressFamily.ipv4 ? '127.0.0.1' : '::', port: 0 });
  if (listen(fd, 1) < 0) throw new Error('cannot listen');
  return fd;
}

function setListener(object: LoadedObject, slot: number, fd: number): void {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setUint32(0, fd, true);
  const result = object.map('listeners').update(keyOf(slot), value);
  if (result < 0) throw new Error(`listeners: ${result}`);
}

function exclude(object: LoadedObject, port: number): void {
  setPorts(object, PortRule.PORT_EXCLUDED, [port]);
}

function setPorts(object: LoadedObject, rule: number, ports: readonly number[]): void {
  const bits = new Uint8Array(portSetLayout.bytes);
  for (const port of ports) bits[port >> 3]! |= 1 << (port & 7);
  object.map('ports_in').update(keyOf(rule), bits);
}

/** The socket's cookie, which is what a look-up tells of its choice; 0n for none. */
function cookieOf(object: LoadedObject, fd: number | undefined, { ip4 }: { ip4: number; ip6: number }): bigint {
  if (fd === undefined) return 0n;
  const value = new Uint8Array(8);
  const slot = fd === ip4 ? ListenerSlot.LISTENER4 : ListenerSlot.LISTENER6;
  object.map('listeners').lookup(keyOf(slot), value);
  return new DataView(value.buffer).getBigUint64(0, true);
}

interface Seen {
  readonly result: number;
  readonly counter: string | undefined;
  readonly chosen: bigint;
}

function run(object: LoadedObject, lookUp: LookUp): Seen {
  const before = countersOf(object);
  const outcome = testRun(object.programFd('or_lookup'), { contextIn: contextOf(lookUp), repeat: 1 });
  if (typeof outcome === 'number') throw new Error(`test run: ${outcome}`);
  const after = countersOf(object);
  const counted = Object.keys(InboundCounter).filter((_, index) => after[index] !== before[index]);
  const context = new DataView(outcome.context.buffer, outcome.context.byteOffset);
  const chosen = context.getBigUint64(0, true);
  return { result: outcome.result, counter: counted.join(' '), chosen };
}

/** struct bpf_sk_lookup of linux/bpf.h: ports and addresses in network order but for `local_port`. */
function contextOf({ protocol = TCP, from = '10.0.0.9', to = '10.0.0.1', port }: LookUp) {
  const bytes = new Uint8Array(72);
  const view = new DataView(bytes.buffer);
  const isIp4 = !to.includes(':');
  view.setUint32(8, isIp4 ? AddressFamily.ipv4 : AddressFamily.ipv6, true);
  view.setUint32(12, protocol, true);
  const place = (ip: string, at: number) =>
    isIp4 ? bytes.set(addressBytes(ip)!.subarray(12), at) : bytes.set(addressBytes(ip)!, at + 4);
  place(from, 16);
  view.setUint16(36, 40_000);
  place(to, 40);
  view.setUint32(60, port, true);
  return bytes;
}

function countersOf(object: LoadedObject): bigint[] {
  const value = new Uint8Array(8);
  return Object.values(InboundCounter).map((counter) => {
    object.map('counters').lookup(keyOf(counter), value);
    return new DataView(value.buffer).getBigUint64(0, true);
  });
}

function keyOf(index: number): Uint8Array {
  return Uint8Array.of(index, 0, 0, 0);
}
