import { writeFileSync } from 'node:fs';
import t from 'tap';
import { readCallTls } from '../../../proxy/export/call-tls.ts';
import { noItems } from '../../support/empty-patterns.ts';

const inline = (text: string) => ({ kind: 'inline', text }) as const;
const none = { subjectAltNames: [] };

t.test('a peer is judged by the system and the name of its endpoint when nothing is said', (t) => {
  const { config, secrets } = readCallTls({ config: none, host: 'otel.test' });
  t.match(config, { sni: 'otel.test', autoSanValidation: true, certificates: noItems });
  t.match(config.validation?.own, { roots: { kind: 'system' }, subjectAltNames: noItems });
  t.equal(secrets.get('own'), undefined);
  t.end();
});

t.test('names that are demanded are in the place of that of the endpoint', (t) => {
  const named = { sni: 'front.test', subjectAltNames: [{ type: 'uri', value: 'spiffe://t/a' }] } as const;
  const { config } = readCallTls({ config: named, host: 'otel.test' });
  t.match(config, { sni: 'front.test', autoSanValidation: false });
  t.strictSame(config.validation?.own?.subjectAltNames, [
    { type: 'uri', matcher: { kind: 'exact', value: 'spiffe://t/a', ignoreCase: false } },
  ]);
  t.end();
});

t.test('secrets are read from where they are, each time', (t) => {
  const folder = t.testdir({ 'key.pem': 'old' });
  const tls = {
    ...none,
    roots: { kind: 'environment', variable: 'CALL_TLS_ROOTS' },
    certificateChain: inline('chain'),
    privateKey: { kind: 'file', path: `${folder}/key.pem` },
  } as const;
  const read = () => readCallTls({ config: tls, host: 'otel.test' });
  t.throws(read, { message: 'the trusted certificates: the environment variable CALL_TLS_ROOTS is not set' });
  process.env['CALL_TLS_ROOTS'] = 'roots';
  t.teardown(() => delete process.env['CALL_TLS_ROOTS']);
  t.match(read().config.validation?.own?.roots, { kind: 'pem', pem: 'roots' });
  t.match(read().secrets.get('own'), { kind: 'certificate', certificateChain: 'chain', privateKey: 'old' });
  writeFileSync(`${folder}/key.pem`, 'new');
  t.match(read().secrets.get('own'), { privateKey: 'new' });
  const lost = { ...tls, privateKey: { kind: 'file', path: `${folder}/lost.pem` } } as const;
  t.throws(
    () => readCallTls({ config: lost, host: 'otel.test' }),
    /^the private key in .*lost\.pem cannot be read: ENOENT: the folder .* has no such file; /,
  );
  t.end();
});
