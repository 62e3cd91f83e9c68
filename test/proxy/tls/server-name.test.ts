import t from 'tap';
import { requestedHost, serverNameFor } from '../../../proxy/tls/server-name.ts';
import { upstreamTls } from '../../support/tls-config-fixtures.ts';

t.test('the host of a request is asked for where the configuration says so', (t) => {
  t.equal(requestedHost(upstreamTls(), 'A.test:8080'), '');
  const config = upstreamTls({ autoSni: true });
  t.equal(requestedHost(config, 'A.test:8080'), 'a.test');
  t.equal(requestedHost(config, '[::1]:8080'), '::1');
  t.equal(requestedHost(config, ''), '');
  t.end();
});

t.test('it comes before the name of the endpoint, and that before the configured one', (t) => {
  const config = upstreamTls({ sni: 'c', autoHostSni: true });
  t.equal(serverNameFor(config, 'request', 'endpoint'), 'request');
  t.equal(serverNameFor(config, '', 'endpoint'), 'endpoint');
  t.equal(serverNameFor(config, '', ''), 'c');
  t.equal(serverNameFor(upstreamTls({ sni: 'c' }), '', 'endpoint'), 'c');
  t.end();
});
