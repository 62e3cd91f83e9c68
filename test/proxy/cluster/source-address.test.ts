import t from 'tap';
import { sourceAddressFor } from '../../../proxy/cluster/source-address.ts';

const ip = (text: string) => ({ kind: 'ip', ip: text, port: 0 }) as const;

t.test('an endpoint is connected to from the address of its own IP version', (t) => {
  const source = { ...ip('127.0.0.6'), otherFamily: ip('::6') };
  t.equal(sourceAddressFor(source, ip('10.0.0.1')), source);
  t.equal(sourceAddressFor(source, ip('fd00::1')), source.otherFamily);
  const sixFirst = { ...ip('::6'), otherFamily: ip('127.0.0.6') };
  t.equal(sourceAddressFor(sixFirst, ip('fd00::1')), sixFirst);
  t.equal(sourceAddressFor(sixFirst, ip('10.0.0.1')), sixFirst.otherFamily);
  t.end();
});

t.test('one address alone is that of every endpoint, and none is the kernel’s choice', (t) => {
  const source = ip('127.0.0.6');
  t.equal(sourceAddressFor(source, ip('fd00::1')), source);
  t.equal(sourceAddressFor(source, { kind: 'pipe', path: '/a' }), source);
  t.equal(sourceAddressFor(undefined, ip('10.0.0.1')), undefined);
  t.equal(sourceAddressFor({ kind: 'pipe', path: '/a' }, ip('10.0.0.1')), undefined);
  t.end();
});
