import t from 'tap';
import type { RedirectAction, RouteMatch } from '../../../config/route.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { PathMatch } from '../../../proxy/route/path-match.ts';
import { CompiledRedirect } from '../../../proxy/route/redirect.ts';
import { type RequestParts, request } from '../../support/route-fixtures.ts';

const root = { kind: 'prefix', value: '/' } as const;

function location(config: Partial<RedirectAction>, parts: RequestParts = {}, path: RouteMatch['path'] = root): string {
  const action = { kind: 'redirect', status: 301, https: false, stripQuery: false, ...config } as const;
  return new CompiledRedirect(action, new PathMatch(path, true)).location(
    request({ path: '/a?b', ...parts }),
    new StreamInfo(),
  );
}

t.test('each part of the URL can be replaced, the others stay', async (t) => {
  t.equal(location({}), 'http://shop.example/a?b');
  t.equal(location({ https: true }), 'https://shop.example/a?b');
  t.equal(location({ scheme: 'ws' }), 'ws://shop.example/a?b');
  t.equal(location({ host: 'new.example' }), 'http://new.example/a?b');
  t.equal(location({ port: 8080 }), 'http://shop.example:8080/a?b');
  t.equal(location({ host: 'new.example', port: 8080 }), 'http://new.example:8080/a?b');
  t.equal(location({}, { scheme: 'https' }), 'https://shop.example/a?b');
});

t.test('another port replaces the one of the request', async (t) => {
  t.equal(location({ port: 8080 }, { authority: 'shop.example:81' }), 'http://shop.example:8080/a?b');
  t.equal(location({ port: 8080 }, { authority: '[::1]:81' }), 'http://[::1]:8080/a?b');
  t.equal(location({ port: 8080 }, { authority: '[::1]' }), 'http://[::1]:8080/a?b');
});

t.test('a default port goes when the scheme changes, and only then', async (t) => {
  t.equal(location({ https: true }, { authority: 'a:80' }), 'https://a/a?b');
  t.equal(location({ https: true }, { authority: '[::1]:80' }), 'https://[::1]/a?b');
  t.equal(location({ https: true }, { authority: 'a:8080' }), 'https://a:8080/a?b');
  t.equal(location({}, { authority: 'a:80' }), 'http://a:80/a?b');
  t.equal(location({ scheme: 'http' }, { authority: 'a:443', scheme: 'https' }), 'http://a/a?b');
  t.equal(
    location({ https: true }, { authority: 'a:80', headers: [['X-Forwarded-Proto', 'https']] }),
    'https://a:80/a?b',
    'what the client spoke counts',
  );
});

t.test('the path is replaced, with the query it brings or had', async (t) => {
  const replace = (value: string) => ({ path: { kind: 'replace', value } }) as const;
  t.equal(location(replace('/new')), 'http://shop.example/new?b');
  t.equal(location({ ...replace('/new'), stripQuery: true }), 'http://shop.example/new');
  t.equal(location(replace('/new?c')), 'http://shop.example/new?c');
  t.equal(location({ ...replace('/new?c'), stripQuery: true }), 'http://shop.example/new?c');
  t.equal(location({ stripQuery: true }), 'http://shop.example/a');
});

t.test('the path is rewritten by prefix and expression', async (t) => {
  const prefix = { path: { kind: 'prefix', replacement: '/new' } } as const;
  t.equal(location(prefix, { path: '/old/x?y' }, { kind: 'prefix', value: '/old' }), 'http://shop.example/new/x?y');
  t.equal(
    location({ ...prefix, stripQuery: true }, { path: '/old/x?y' }, { kind: 'prefix', value: '/old' }),
    'http://shop.example/new/x',
  );
  const regex = { path: { kind: 'regex', regex: '^/([^/]+)/(.*)$', substitution: '/\\2/\\1' } } as const;
  t.equal(location(regex, { path: '/a/b?c' }), 'http://shop.example/b/a?c');
});

t.test('the path is written by a format', async (t) => {
  const by = (format: string) => ({ path: { kind: 'format', format } }) as const;
  const headers = { headers: [['x-a', 'one']] } as const;
  t.equal(location(by('/new/%REQ(x-a)%/%PROTOCOL%'), headers), 'http://shop.example/new/one/?b');
  t.equal(location({ ...by('/new/%REQ(x-a)%'), stripQuery: true }, headers), 'http://shop.example/new/one');
  t.equal(location(by('%REQ(x-a)%'), headers), 'http://shop.example/one?b', 'a slash is put in front');
  t.equal(
    location(by('?c=%REQ(x-a)%'), headers),
    'http://shop.example/?c=one',
    'a query takes the place of the old one',
  );
  t.equal(location({ ...by('/n?c'), stripQuery: true }), 'http://shop.example/n?c', 'and is never stripped');
  t.equal(
    location(by('/%REQ(x-a)%'), { headers: [['x-a', 'a\r\nset-cookie: b\0']] }),
    'http://shop.example/a\\x0d\\x0aset-cookie: b\\x00?b',
    'and ends no field, whoever wrote the header',
  );
  t.equal(location(by('%REQ(x-a)%')), 'http://shop.example/a?b', 'nothing written leaves the path');
  t.equal(location({ ...by('%REQ(x-a)%'), stripQuery: true }), 'http://shop.example/a');
});
