// What undici is given of a request, and which requests it is not given.

import t from 'tap';
import { isCarriedByUndici, requestOptions } from '../../../../proxy/engine/undici/request-options.ts';
import { RequestHead } from '../../../../proxy/http/message.ts';
import { onlyItems } from '../../../support/only-items.ts';

function headOf(method: string, path: string, fields: readonly (readonly [string, string])[] = []): RequestHead {
  const head = new RequestHead();
  head.method = method;
  head.path = path;
  head.authority = 'a.example';
  for (const [name, value] of fields) head.headers.append(name, value);
  return head;
}

t.test('fields keep order, spelling and bytes; what undici writes itself is left out', async (t) => {
  const head = headOf('GET', '/x?y', [
    ['Host', 'b.example'],
    ['X-Mixed', 'caf\xe9'],
    ['Connection', 'Upgrade'],
    ['Transfer-Encoding', 'chunked'],
    ['Content-Length', '3'],
  ]);
  head.headers.append('gone', 'x');
  head.headers.removeRow(head.headers.rowCount - 1);
  t.match(requestOptions(head, null), {
    method: 'GET',
    path: '/x?y',
    body: null,
    headers: onlyItems('Host', 'b.example', 'X-Mixed', 'caf\xe9', 'Content-Length', '3'),
  });
});

t.test('a request without Host names its authority, not the address of the endpoint', async (t) => {
  t.same(requestOptions(headOf('GET', '/'), null).headers, ['host', 'a.example']);
});

t.test('an upgrade is offered as the client spelt it', async (t) => {
  const head = headOf('GET', '/', [
    ['Upgrade', 'WebSocket'],
    ['Connection', 'Upgrade'],
  ]);
  head.upgrade = 'websocket';
  t.match(requestOptions(head, null), { upgrade: 'WebSocket', headers: onlyItems('host', 'a.example') });
});

t.test('the connection lives on behind a HEAD', async (t) => {
  t.equal(requestOptions(headOf('HEAD', '/'), null).reset, false);
});

t.test('what undici cannot say goes another way', async (t) => {
  t.ok(isCarriedByUndici(headOf('GET', '/')));
  t.notOk(isCarriedByUndici(headOf('OPTIONS', '*')));
  t.notOk(isCarriedByUndici(headOf('CONNECT', '')));
  t.notOk(isCarriedByUndici(headOf('POST', '/', [['Expect', '100-continue']])));
});
