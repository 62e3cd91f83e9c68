import t from 'tap';
import type { FilterChain, Listener } from '../../../config/listener.ts';
import { filterChainsOf } from '../../../config/references.ts';
import { compareListeners } from '../../../proxy/listener/listener-change.ts';
import { answering } from '../../support/listener-fixtures.ts';

const chainOf = (name: string, body = name): FilterChain => ({ ...answering('x', body).filterChains[0]!, name });

function listenerWith(names: readonly string[], given: Partial<Listener> = {}): Listener {
  return { ...answering('http', 'x'), filterChains: names.map((name) => chainOf(name)), ...given };
}

const kindOf = (given: Partial<Listener>) => compareListeners(listenerWith(['a']), listenerWith(['a'], given)).kind;

t.test('another address or socket option needs other sockets', (t) => {
  const address = { kind: 'ip', ip: '127.0.0.1', port: 1 } as const;
  t.equal(kindOf({ address }), 'sockets');
  t.equal(kindOf({ additionalAddresses: [address] }), 'sockets');
  t.equal(kindOf({ bindToPort: false }), 'sockets');
  t.equal(kindOf({ reusePort: false }), 'sockets');
  t.equal(kindOf({ transparent: true }), 'sockets');
  t.equal(kindOf({ freebind: true }), 'sockets');
  t.equal(kindOf({ ipv4Compatible: true }), 'sockets');
  t.equal(kindOf({ keepAlive: { idleSeconds: 1 } as never }), 'sockets');
  t.end();
});

t.test('what all connections depend on changes the listener, on its sockets', (t) => {
  t.equal(kindOf({ backlog: 7 }), 'listener');
  t.equal(kindOf({ connectionLimit: 7 }), 'listener');
  t.equal(kindOf({ statPrefix: 'other' }), 'listener');
  t.equal(kindOf({ backlog: 7, filterChains: [] }), 'listener');
  t.end();
});

t.test('filter chains are kept by what they are, wherever they stand', (t) => {
  const kept = (before: Listener, after: Listener) => {
    const change = compareListeners(before, after);
    return change.kind === 'filter-chains'
      ? change.kept.map(({ index, earlierIndex }) => `${earlierIndex}>${index}`).join(' ')
      : change.kind;
  };
  t.equal(kept(listenerWith(['a', 'b']), listenerWith(['a', 'b'])), '0>0 1>1');
  t.equal(kept(listenerWith(['a', 'b', 'c']), listenerWith(['c', 'new', 'a'])), '2>0 0>2');
  t.equal(kept(listenerWith([]), listenerWith(['a'])), '');
  t.equal(kept(listenerWith(['', '']), listenerWith([''])), '0>0', 'one of two equal ones');
  t.equal(kept(listenerWith(['a']), listenerWith([], { filterChains: [chainOf('a', 'other')] })), '', 'a new body');
  const defaultFilterChain = chainOf('default');
  const withDefault = listenerWith(['a'], { defaultFilterChain });
  t.equal(kept(withDefault, listenerWith(['b', 'a'], { defaultFilterChain })), '0>1 1>2');
  t.equal(filterChainsOf(withDefault).at(-1), defaultFilterChain);
  t.end();
});
