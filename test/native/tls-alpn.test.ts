import fc from 'fast-check';
import t from 'tap';
import { chooseProtocol, encodeProtocols } from '../../native/tls-alpn.ts';

const bytesOf = (names: readonly string[]) => names.map((name) => Buffer.from(name, 'latin1'));

t.test('a list is names behind their lengths', (t) => {
  t.same(encodeProtocols(['h2', 'http/1.1']), Buffer.from('\x02h2\x08http/1.1', 'latin1'));
  t.equal(encodeProtocols(['']), undefined);
  t.equal(encodeProtocols(['x'.repeat(256)]), undefined);
  t.equal(encodeProtocols(['x'.repeat(255)])?.length, 256);
  t.end();
});

t.test('the first of ours that is offered is chosen, wherever it stands', (t) => {
  const offered = encodeProtocols(['http/1.1', 'h2'])!;
  t.equal(chooseProtocol(offered, bytesOf(['h2', 'http/1.1'])), 10);
  t.equal(chooseProtocol(offered, bytesOf(['h3', 'http/1.1'])), 1);
  t.equal(chooseProtocol(offered, bytesOf(['http', '1.1', 'H2'])), -1, 'a part of a name is no name');
  t.equal(chooseProtocol(Buffer.alloc(0), bytesOf(['h2'])), -1);
  t.end();
});

t.test('what is chosen is a whole name of both lists, and the first of ours that can be', (t) => {
  const names = fc.array(fc.string({ unit: fc.constantFrom('\x01', '\x02', 'a', 'h'), minLength: 1, maxLength: 4 }));
  fc.assert(
    fc.property(names, names, (ours, offered) => {
      const list = encodeProtocols(offered)!;
      const at = chooseProtocol(list, bytesOf(ours));
      const chosen = at < 0 ? undefined : list.toString('latin1', at, at + list[at - 1]!);
      return chosen === ours.find((name) => offered.includes(name));
    }),
    { seed: 8 },
  );
  t.end();
});
