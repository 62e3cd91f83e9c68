import t from 'tap';
import { fieldBytes, requestHeadersBytes, responseHeadersBytes } from '../../../proxy/format/header-bytes.ts';
import { headerName } from '../../../proxy/http/header-name.ts';
import { request, response } from '../../support/route-fixtures.ts';

t.test('names and values are counted, and the first line as HTTP/2 has it', async (t) => {
  const head = request({ method: 'GET', path: '/ab', headers: [['X-A', '12']] });
  const pseudo = `:methodGET:authority${head.authority}:path/ab:scheme${head.scheme}`;
  t.equal(requestHeadersBytes(head), pseudo.length + 5);
  t.equal(responseHeadersBytes(response(404, [['Server', 'x']])), ':status404Serverx'.length);
  t.equal(requestHeadersBytes(null) + responseHeadersBytes(null), 0);
});

t.test('fields that were removed are not counted', async (t) => {
  const { headers } = response(200, [
    ['A', '1'],
    ['B', '22'],
  ]);
  headers.remove(headerName('a'));
  t.equal(fieldBytes(headers), 3);
});
