import t from 'tap';
import { splitUri } from '../../../proxy/export/telemetry-uri.ts';

const cases: readonly (readonly [string, string, string])[] = [
  ['http://collector:4318/v1/traces', 'collector:4318', '/v1/traces'],
  ['https://collector/v1/traces?tenant=a', 'collector', '/v1/traces?tenant=a'],
  ['http://collector', 'collector', '/'],
  ['http://collector?a=b', 'collector', '/?a=b'],
  ['/api/v2/spans', 'cluster', '/api/v2/spans'],
  ['api/v2/spans', 'cluster', '/api/v2/spans'],
  ['http:///v1/traces#part', 'cluster', '/v1/traces'],
  ['http://[::1]:4318/a', '[::1]:4318', '/a'],
  ['', 'cluster', '/'],
  ['http://a/b c?d=é\n', 'a', '/b%20c?d=%C3%A9%0A'],
];

t.test('a URI has an authority, by default the name of the cluster, and a path', (t) => {
  for (const [uri, authority, path] of cases) t.same(splitUri(uri, 'cluster'), { authority, path }, uri);
  t.end();
});
