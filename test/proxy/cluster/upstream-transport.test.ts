import t from 'tap';
import type { UpstreamTls } from '../../../config/tls.ts';
import { UpstreamTransport } from '../../../proxy/cluster/upstream-transport.ts';
import type { ClientTlsOptions } from '../../../proxy/tls/client-tls.ts';
import { upstreamTls } from '../../support/tls-config-fixtures.ts';

function make(given: Partial<UpstreamTls> = {}) {
  const asked: ClientTlsOptions[] = [];
  const tls = {
    begin: (_fd: number, options: ClientTlsOptions) => {
      asked.push(options);
      return 'only asked';
    },
    release: () => undefined,
  };
  return { asked, transport: new UpstreamTransport(tls as never, upstreamTls(given)) };
}

t.test('without names of requests all connections are alike, and ask for the configured name', (t) => {
  const { asked, transport } = make({ sni: 'app.example' });
  t.equal(transport.variantFor('web.example:443', null), null);
  t.equal(transport.begin(3, 'pod-7', null), 'only asked');
  t.same(asked, [{ serverName: 'app.example' }]);
  t.end();
});

t.test('auto_sni asks for the host of the request, each in connections of its own', (t) => {
  const { asked, transport } = make({ sni: 'app.example', autoSni: true, autoSanValidation: true });
  const one = transport.variantFor('Web.Example:8443', null);
  t.same(transport.variantFor('web.example', null), one);
  t.not(transport.variantFor('other.example', null)!.key, one!.key);
  transport.begin(3, '', one);
  transport.begin(3, '', transport.variantFor('[2001:db8::1]:443', null));
  transport.begin(3, '', transport.variantFor('10.0.0.1', null));
  transport.begin(3, '', null);
  t.same(asked, [
    { serverName: 'web.example', verifiedName: 'web.example' },
    { serverName: '2001:db8::1', verifiedName: '2001:db8::1' },
    { serverName: '10.0.0.1', verifiedName: '10.0.0.1' },
    { serverName: 'app.example', verifiedName: 'app.example' },
  ]);
  t.end();
});

t.test('auto_host_sni asks for the name of the endpoint, if it has one', (t) => {
  const { asked, transport } = make({ sni: 'app.example', autoHostSni: true });
  transport.begin(3, 'pod-7', null);
  transport.begin(3, '', null);
  t.same(asked, [{ serverName: 'pod-7' }, { serverName: 'app.example' }]);
  t.end();
});

t.test('no name is not any name', (t) => {
  const { asked, transport } = make({ autoSanValidation: true });
  t.match(transport.begin(3, '', null), /^no name is known/);
  t.same(asked, []);
  t.end();
});

t.test('protocols that are offered in place of the configured make other connections', (t) => {
  const { asked, transport } = make({ sni: 'app.example' });
  const alpn = ['istio-http/1.1', 'istio'];
  const one = transport.variantFor('web.example', alpn)!;
  t.equal(transport.variantFor('other.example', alpn), one, 'and the same for all requests that offer them');
  t.not(transport.variantFor('web.example', ['http/1.1'])!.key, one.key);
  t.not(make({ autoSni: true }).transport.variantFor('a\nistio', null)!.key, one.key);
  transport.begin(3, '', one);
  t.same(asked, [{ serverName: 'app.example', alpn }]);
  t.end();
});
