import t from 'tap';
import type { Address } from '../../../config/address.ts';
import { ListenerDirectory } from '../../../proxy/listener/listener-directory.ts';
import { httpListener, managerOf } from '../../support/data-plane.ts';

const at = (ip: string, port: number): Address => ({ kind: 'ip', ip, port });

function listenerAt(name: string, address: Address, given: object = {}) {
  return { config: { ...httpListener(name, managerOf([])), address, ...given } };
}

t.test('the exact address comes before the wildcard of its family', (t) => {
  const directory = new ListenerDirectory<ReturnType<typeof listenerAt>>();
  const exact = listenerAt('exact', at('10.0.0.1', 80));
  const any4 = listenerAt('any4', at('0.0.0.0', 80));
  const any6 = listenerAt('any6', at('::', 80));
  for (const listener of [exact, any4, any6]) directory.add(listener);
  t.equal(directory.find(at('10.0.0.1', 80)), exact);
  t.equal(directory.find(at('10.0.0.2', 80)), any4);
  t.equal(directory.find(at('2001:db8::1', 80)), any6);
  t.equal(directory.find(at('10.0.0.1', 81)), null);
  t.equal(directory.find({ kind: 'pipe', path: '/run/x' }), null);
  t.end();
});

t.test('all spellings of an address are one', (t) => {
  const directory = new ListenerDirectory<ReturnType<typeof listenerAt>>();
  const listener = listenerAt('six', at('2001:DB8:0::1', 80));
  directory.add(listener);
  t.equal(directory.find(at('2001:db8::1', 80)), listener);
  t.end();
});

t.test('a dual-stack wildcard takes IPv4 destinations', (t) => {
  const directory = new ListenerDirectory<ReturnType<typeof listenerAt>>();
  const listener = listenerAt('dual', at('::', 80), { ipv4Compatible: true });
  directory.add(listener);
  t.equal(directory.find(at('10.0.0.1', 80)), listener);
  t.end();
});

t.test('additional addresses are addresses; a listener that was replaced takes nothing away', (t) => {
  const directory = new ListenerDirectory<ReturnType<typeof listenerAt>>();
  const before = listenerAt('a', at('10.0.0.1', 80), { additionalAddresses: [at('10.0.0.2', 80)] });
  const after = listenerAt('a', at('10.0.0.1', 80));
  directory.add(before);
  t.equal(directory.find(at('10.0.0.2', 80)), before);
  directory.add(after);
  directory.remove(before);
  t.equal(directory.find(at('10.0.0.1', 80)), after);
  t.equal(directory.find(at('10.0.0.2', 80)), null);
  t.end();
});
