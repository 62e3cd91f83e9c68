import t from 'tap';
import type { Address } from '../../../config/address.ts';
import { localAddressText } from '../../../proxy/reactor/local-address.ts';

function textOf(address: Address | undefined): string {
  return localAddressText({ localAddress: () => address });
}

t.test('an address is written as in statistics and logs, and none is empty', async (t) => {
  t.equal(textOf({ kind: 'ip', ip: '127.0.0.1', port: 8080 }), '127.0.0.1:8080');
  t.equal(textOf({ kind: 'ip', ip: '::1', port: 8080 }), '[::1]:8080');
  t.equal(textOf(undefined), '');
});
