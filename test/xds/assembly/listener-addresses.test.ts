import t from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { ListenerAddresses } from '../../../xds/assembly/listener-addresses.ts';
import { AssemblyBench, inlineListener } from '../../support/assembly-bench.ts';

const bench = new AssemblyBench().startEmpty();

function listener(name: string, port: number, ...additionalPorts: readonly number[]): Listener {
  bench.respond('lds', { [name]: inlineListener(name, 60_000) });
  const found = bench.snapshot.listeners.get(name)!;
  bench.respond('lds', {}, [name]);
  const addressOf = (each: number) => ({ kind: 'ip', ip: '127.0.0.1', port: each }) as const;
  return { ...found, address: addressOf(port), additionalAddresses: additionalPorts.map(addressOf) };
}

t.test('an address has one listener, which may have it again', async (t) => {
  const addresses = new ListenerAddresses();
  addresses.take(listener('a', 1, 2));
  t.equal(addresses.problemWith(listener('b', 3, 2)), '127.0.0.1:2 is the address of listener "a" already');
  t.equal(addresses.problemWith(listener('a', 2)), undefined);
  t.equal(addresses.problemWith(listener('b', 3)), undefined);
});

t.test('port 0 is another port each time', async (t) => {
  const addresses = new ListenerAddresses();
  addresses.take(listener('a', 0));
  t.equal(addresses.problemWith(listener('b', 0)), undefined);
});

t.test('addresses are given back that no other state of the listener has', async (t) => {
  const addresses = new ListenerAddresses();
  const [older, newer] = [listener('a', 1, 2), listener('a', 2, 3)];
  addresses.take(older);
  addresses.take(newer);
  addresses.release(older, [newer]);
  t.equal(addresses.problemWith(listener('b', 1)), undefined);
  t.match(addresses.problemWith(listener('b', 2)), /listener "a"/);
  addresses.take(listener('b', 1));
  addresses.release(older, []);
  t.match(addresses.problemWith(listener('c', 1)), /listener "b"/, 'not those of another listener');
});

t.test('an address and the one that stands for all go together where both share the port', async (t) => {
  const at = (name: string, ip: string, given: Partial<Listener> = {}): Listener => ({
    ...listener(name, 80),
    address: { kind: 'ip', ip, port: 80 },
    ...given,
  });
  const alone = { reusePort: false };
  const addresses = new ListenerAddresses();
  const any = at('any', '0.0.0.0');
  addresses.take(any);
  t.equal(addresses.problemWith(at('one', '10.0.0.1')), undefined);
  t.equal(
    addresses.problemWith(at('one', '10.0.0.1', alone)),
    '10.0.0.1:80 and 0.0.0.0:80 of listener "any" have one port: unless both have enable_reuse_port, only one of them can listen',
  );
  t.equal(
    addresses.problemWith(at('one', '10.0.0.1', { ...alone, bindToPort: false })),
    undefined,
    'it needs no socket',
  );
  t.equal(addresses.problemWith(at('any', '10.0.0.1', alone)), undefined, 'its own later state');
  addresses.release(any, [at('any', '0.0.0.0', alone)]);
  t.match(addresses.problemWith(at('one', '10.0.0.1')), /listener "any" have one port/, 'of the state that is left');
  addresses.release(any, []);
  addresses.take(at('one', '10.0.0.1', alone));
  t.match(addresses.problemWith(any), /^0\.0\.0\.0:80 and 10\.0\.0\.1:80 of listener "one"/);
  const dual = { ipv4Compatible: true };
  t.match(addresses.problemWith(at('six', '::', dual)), /^\[::\]:80 and 10\.0\.0\.1:80/);
  t.equal(addresses.problemWith(at('six', '::')), undefined, 'another family');
});
