import t from 'tap';
import type { HttpConnectionManager } from '../../../config/http-connection-manager.ts';
import { prepareRequestTarget } from '../../../proxy/http/request-target.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { lines, type RequestParts, request } from '../../support/route-fixtures.ts';

function prepared(parts: RequestParts, config: Partial<HttpConnectionManager> = {}) {
  const head = request(parts);
  const refusal = prepareRequestTarget(head, new Scene({ manager: config }).manager, 80);
  return { head, refusal };
}

t.test('a plain target stays as it is', async (t) => {
  const { head, refusal } = prepared({ path: '/a?b' });
  t.equal(refusal, null);
  t.match(head, { path: '/a?b', authority: 'shop.example' });
});

t.test('a stripped port goes from the Host field too', async (t) => {
  const { head, refusal } = prepared({ authority: 'shop.example:80' }, { stripPort: 'matching' });
  t.equal(refusal, null);
  t.equal(head.authority, 'shop.example');
  t.same(lines(head), ['Host: shop.example']);
});

t.test('an authority that names no single host is refused', async (t) => {
  t.match(prepared({ authority: 'a,b' }).refusal, {
    reply: { status: 400, details: 'http.invalid_authority' },
    location: '',
  });
});

t.test('the path is normalised as configured, refused, or redirected to', async (t) => {
  t.equal(prepared({ path: '/a/../b' }, { normalizePath: true }).head.path, '/b');
  t.match(prepared({ path: '/%00' }, { normalizePath: true }).refusal, {
    reply: { status: 400, details: 'path_normalization_failed' },
  });
  t.match(prepared({ path: '/a%2Fb?c' }, { escapedSlashes: 'unescape-and-redirect' }).refusal, {
    reply: { status: 307 },
    location: '/a/b?c',
  });
});

t.test('CONNECT has no path to look at', async (t) => {
  const { head, refusal } = prepared({ method: 'CONNECT', path: '', authority: 'a:443' }, { normalizePath: true });
  t.equal(refusal, null);
  t.equal(head.authority, 'a:443');
});
