// The expectations are those of Envoy's documentation of the header, and what Envoy 1.40 writes.

import fc from 'fast-check';
import t from 'tap';
import type { ClientCertDetail, ForwardClientCert } from '../../../config/http-connection-manager.ts';
import { ClientCertForwarder, clientCertElement } from '../../../proxy/http/forwarded-client-cert.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import type { CertificateFacts, TlsFacts } from '../../../proxy/transport/tls-facts.ts';
import { fieldsOf, Scene } from '../../support/http-fixtures.ts';

const hash = '468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688';

function certificate(given: Partial<CertificateFacts> = {}): CertificateFacts {
  return {
    subject: '/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client',
    issuer: 'CN=ca',
    serial: '1',
    sha256: hash,
    sha1: '',
    uris: ['http://testclient.lyft.com'],
    dnsNames: [],
    ipAddresses: [],
    emails: [],
    notBeforeMs: 0,
    notAfterMs: 0,
    chain: [Buffer.alloc(60, 0xfb), Buffer.alloc(3)],
    ...given,
  };
}

const own = certificate({ uris: ['http://frontend.lyft.com'] });

function mutual(given: Partial<TlsFacts> = {}): TlsFacts {
  return {
    version: 'TLSv1.3',
    cipher: '',
    group: '',
    alpn: '',
    serverName: '',
    isResumed: false,
    peer: certificate(),
    isPeerVerified: true,
    own,
    ...given,
  };
}

/** What the next hop gets for what a client sent. */
function forwarded(
  mode: ForwardClientCert['mode'],
  tls: TlsFacts | undefined,
  sent: readonly string[] = [],
): readonly string[] {
  const headers = new HeaderTable();
  for (const value of sent) headers.append('X-Forwarded-Client-Cert', value);
  new ClientCertForwarder({ mode, details: ['uri'] }).apply(headers, tls);
  return fieldsOf(headers).map((line) => line.slice(line.indexOf(': ') + 2));
}

const ours = `By=http://frontend.lyft.com;Hash=${hash};URI=http://testclient.lyft.com`;
const forged = 'By=http://x;URI=spiffe://td/ns/admin/sa/root';

t.test('who has no verified certificate tells nothing, whatever the mode but one', async (t) => {
  const untold = [undefined, mutual({ peer: null, isPeerVerified: false }), mutual({ isPeerVerified: false })];
  for (const tls of untold) {
    for (const mode of ['sanitize', 'forward-only', 'append-forward', 'sanitize-set'] as const)
      t.same(forwarded(mode, tls, [forged, forged]), [], mode);
    t.same(forwarded('always-forward-only', tls, [forged, 'b']), [forged, 'b']);
  }
});

t.test('what a client with a verified certificate sends is treated by the mode', async (t) => {
  const tls = mutual();
  t.same(forwarded('sanitize', tls, ['a']), []);
  t.same(forwarded('forward-only', tls, ['a', 'b']), ['a', 'b']);
  t.same(forwarded('forward-only', tls), []);
  t.same(forwarded('append-forward', tls, ['a', 'b']), [`a,b,${ours}`], 'fields become one list');
  t.same(forwarded('append-forward', tls), [ours]);
  t.same(forwarded('append-forward', tls, ['']), [ours]);
  t.same(forwarded('sanitize-set', tls, ['a', 'b']), [ours]);
  t.same(forwarded('always-forward-only', tls, ['a']), ['a']);
});

t.test('elements are those of the documentation', async (t) => {
  const element = (details: readonly ClientCertDetail[], peer = certificate(), local: CertificateFacts | null = own) =>
    clientCertElement(peer, local, details);
  t.equal(
    element(['subject', 'uri', 'dns'], certificate({ dnsNames: ['lyft.com', 'www.lyft.com'] })),
    `By=http://frontend.lyft.com;Hash=${hash};Subject="/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client";` +
      'URI=http://testclient.lyft.com;DNS=lyft.com;DNS=www.lyft.com',
  );
  t.equal(element([]), `By=http://frontend.lyft.com;Hash=${hash}`);
  t.equal(element([], certificate(), null), `Hash=${hash}`);
  t.equal(
    element(['uri'], certificate({ uris: ['spiffe://td/a', 'spiffe://td/b'] }), certificate({ uris: ['x:1', 'x:2'] })),
    `By=x:1;By=x:2;Hash=${hash};URI=spiffe://td/a;URI=spiffe://td/b`,
  );
  t.equal(
    element(['subject', 'uri', 'dns'], certificate({ subject: '', uris: [] }), null),
    `Hash=${hash};Subject="";URI=`,
    'the keys of subject and URI are there though they are empty',
  );
});

t.test('certificates are PEM, encoded for a URL', async (t) => {
  const first = '-----BEGIN%20CERTIFICATE-----%0A';
  const last = '-----END%20CERTIFICATE-----%0A';
  const line = '%2B%2Fv7'.repeat(16);
  const leaf = `${first}${line}%0A${'%2B%2Fv7'.repeat(4)}%0A${last}`;
  const text = clientCertElement(certificate(), null, ['cert', 'chain']);
  t.equal(text, `Hash=${hash};Cert="${leaf}";Chain="${leaf}${first}AAAA%0A${last}"`);
});

t.test('names with separators are quoted, and what no name has is encoded', async (t) => {
  const names = (uris: readonly string[]) => clientCertElement(certificate({ uris }), null, ['uri']).slice(69);
  t.equal(names(['x:a,b']), ';URI="x:a,b"');
  t.equal(names(['x:a;By=b']), ';URI="x:a;By=b"');
  t.equal(names(['x:"\\\r\n\0\xe9']), ';URI=x:%22%5C%0D%0A%00%E9');
  const subject = (text: string) => clientCertElement(certificate({ subject: text }), null, ['subject']).slice(69);
  t.equal(subject('CN=a\\"b,O=c\\,d'), ';Subject="CN=a\\"b,O=c\\,d"');
  t.equal(subject('CN=a\\\\'), ';Subject="CN=a\\5C"', 'no backslash hides the closing quote');
  t.equal(subject('CN="\n\\'), ';Subject="CN=\\"\\0A\\5C"');
});

/** How readers of the header cut it: whether `\\` before a quote is a pair to them, or only `\"` is. */
function keysOf(element: string, knowsPairs: boolean): readonly string[] {
  const keys: string[] = [];
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at <= element.length; at++) {
    const character = element[at];
    if (knowsPairs && isQuoted && character === '\\') {
      at++;
    } else if (character === '"' && (knowsPairs || element[at - 1] !== '\\')) {
      isQuoted = !isQuoted;
    } else if (at === element.length || (!isQuoted && (character === ';' || character === ','))) {
      keys.push(element.slice(start, element.indexOf('=', start)) + (character === ',' ? ',' : ''));
      start = at + 1;
    }
  }
  if (isQuoted) keys.push('open');
  return keys;
}

t.test('no name in a certificate makes another pair, element or line, however the header is read', async (t) => {
  const nasty = fc.string({ unit: fc.constantFrom(...'"\\;,=\r\n\0 ab\xff\u010a\u2028URIBy') });
  const names = fc.array(nasty, { maxLength: 3 });
  fc.assert(
    fc.property(nasty, names, names, names, (subject, uris, dnsNames, byUris) => {
      const peer = certificate({ subject, uris, dnsNames });
      const text = clientCertElement(peer, certificate({ uris: byUris }), ['subject', 'uri', 'dns']);
      const keys = [...byUris.map(() => 'By'), 'Hash', 'Subject'];
      keys.push(...(uris.length === 0 ? ['URI'] : uris.map(() => 'URI')), ...dnsNames.map(() => 'DNS'));
      for (const knowsPairs of [false, true]) t.strictSame(keysOf(text, knowsPairs), keys);
      t.match(text, /^[ -~]*$/);
    }),
  );
});

t.test('a request of a plain client loses the header before it is forwarded', async (t) => {
  const sent = (scene: Scene): readonly string[] =>
    fieldsOf(
      scene.request((head) => head.headers.append('x-forwarded-client-cert', forged)).client.head.headers,
    ).filter((line) => line.startsWith('x-forwarded-client-cert'));
  t.same(sent(new Scene({})), []);
  const forwardClientCert = { mode: 'append-forward', details: ['uri'] } as const;
  t.same(sent(new Scene({ manager: { forwardClientCert } })), []);
  t.same(sent(new Scene({ manager: { forwardClientCert }, facts: { tls: mutual() } })), [
    `x-forwarded-client-cert: ${forged},${ours}`,
  ]);
});
