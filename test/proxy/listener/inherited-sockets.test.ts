import t from 'tap';
import type { Address } from '../../../config/address.ts';
import type { Listener } from '../../../config/listener.ts';
import { adjustInherited, isWanted, type WantedAddress } from '../../../proxy/listener/inherited-sockets.ts';
import { httpListener, managerOf } from '../../support/data-plane.ts';

const ip = (text: string, port: number): Address => ({ kind: 'ip', ip: text, port });
const pipe = (path: string, mode?: number): Address => ({ kind: 'pipe', path, ...(mode !== undefined && { mode }) });

function isFound(
  wanted: Partial<WantedAddress>,
  configured: Address,
  bound = configured,
  given: Partial<Listener> = {},
) {
  const listener = { ...httpListener('http', managerOf([])), ...given };
  const all = { listener: 'http', address: ip('127.0.0.1', 80), ipv4Compatible: false, ...wanted };
  return isWanted(listener, { configured, bound }, all);
}

t.test('an address is found in any spelling, under any name of a listener', (t) => {
  t.ok(isFound({}, ip('127.0.0.1', 80)));
  t.ok(isFound({ listener: 'another' }, ip('127.0.0.1', 80)));
  t.ok(isFound({ address: ip('0:0:0:0:0:0:0:1', 80) }, ip('::1', 80)));
  t.notOk(isFound({}, ip('127.0.0.1', 81)));
  t.notOk(isFound({}, ip('127.0.0.2', 80)));
  t.notOk(isFound({ address: ip('::ffff:127.0.0.1', 80) }, ip('127.0.0.1', 80)), 'bound by another kind of socket');
  t.ok(isFound({ address: pipe('/a', 0o600) }, pipe('/a')));
  t.notOk(isFound({ address: pipe('/a') }, pipe('/b')));
  t.notOk(isFound({ address: pipe('/a') }, ip('127.0.0.1', 80)));
  t.notOk(isFound({}, pipe('/a')));
  t.end();
});

t.test('a port that the kernel chose is found by the name of the listener, or by its number', (t) => {
  const zero = ip('127.0.0.1', 0);
  const bound = ip('127.0.0.1', 4711);
  t.ok(isFound({ address: zero }, zero, bound));
  t.notOk(isFound({ address: zero, listener: 'another' }, zero, bound));
  t.notOk(isFound({ address: zero }, bound), 'one that was asked for is not what 0 asks for');
  t.ok(isFound({ address: bound, listener: 'another' }, zero, bound));
  t.end();
});

t.test('whether an IPv6 address takes IPv4 peers is part of it', (t) => {
  const any = ip('::', 80);
  const dual = { ipv4Compatible: true };
  t.ok(isFound({ address: any, ...dual }, any, any, dual));
  t.notOk(isFound({ address: any }, any, any, dual));
  t.ok(isFound({ ...dual }, ip('127.0.0.1', 80)), 'of IPv4 it means nothing');
  t.end();
});

t.test('what is no socket cannot be adjusted', (t) => {
  t.ok(adjustInherited([1_000_000], ip('127.0.0.1', 80), httpListener('http', managerOf([]))) < 0);
  t.end();
});
