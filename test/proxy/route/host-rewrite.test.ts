import t from 'tap';
import type { ForwardAction } from '../../../config/route.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { changeAuthority, compileHostRewrite } from '../../../proxy/route/host-rewrite.ts';
import { lines, type RequestParts, request } from '../../support/route-fixtures.ts';

const silent = { appendForwardedHost: false, keepOriginal: false };

t.test('the host comes from the configuration, a header or the path', async (t) => {
  const host = (config: ForwardAction['hostRewrite'], parts: RequestParts = {}) =>
    compileHostRewrite(config)?.(request(parts), new StreamInfo()) ?? null;
  t.equal(host({ kind: 'literal', value: 'a.example' }), 'a.example');
  t.equal(
    host(
      { kind: 'header', name: 'X-Host' },
      {
        headers: [
          ['x-host', 'b.example'],
          ['x-host', 'c'],
        ],
      },
    ),
    'b.example',
  );
  t.equal(host({ kind: 'header', name: 'x-host' }), '');
  const regex = { kind: 'path-regex', regex: '^/(.+)/.*$', substitution: '\\1.example' } as const;
  t.equal(host(regex, { path: '/c/d?e/f' }), 'c.example');
  const format = { kind: 'format', format: '%REQ(x-host)%.example' } as const;
  t.equal(host(format, { headers: [['x-host', 'd']] }), 'd.example');
  t.equal(host(format, { headers: [['x-host', 'd\r\nx: y']] }), 'd\\x0d\\x0ax: y.example', 'and ends no field');
  t.equal(host(format), '-.example', 'what is missing is told as in a log');
  t.equal(host({ kind: 'auto' }), null, 'known with the endpoint');
  t.equal(host(undefined), null);
});

t.test('the Host field follows the authority, and is added where there was none', async (t) => {
  const changed = (authority: string, to: string) => {
    const head = request({ authority });
    changeAuthority(head, to, silent);
    return [head.authority, ...lines(head)];
  };
  t.same(changed('shop', 'new'), ['new', 'Host: new']);
  t.same(changed('', 'new'), ['new', 'host: new']);
  t.same(changed('shop', ''), ['shop', 'Host: shop'], 'an empty authority changes nothing');
});

t.test('the original host is kept in a header of its own', async (t) => {
  const head = request({ headers: [['X-Envoy-Original-Host', 'forged']] });
  changeAuthority(head, 'new', { appendForwardedHost: false, keepOriginal: true });
  t.same(lines(head), ['Host: new', 'X-Envoy-Original-Host: shop.example']);
});

t.test('x-forwarded-host gets the original host unless it is the last one already', async (t) => {
  const forwarded = (...values: string[]) => {
    const head = request({ headers: values.map((value) => ['X-Forwarded-Host', value] as const) });
    changeAuthority(head, 'new', { appendForwardedHost: true, keepOriginal: false });
    return lines(head).slice(1);
  };
  t.same(forwarded(), ['x-forwarded-host: shop.example']);
  t.same(forwarded('edge'), ['X-Forwarded-Host: edge,shop.example']);
  t.same(forwarded('edge, shop.example'), ['X-Forwarded-Host: edge, shop.example']);
  t.same(forwarded('a', 'b'), ['X-Forwarded-Host: a,b,shop.example']);
});
