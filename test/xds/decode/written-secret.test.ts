import t from 'tap';
import {
  decodeWrittenCertificate,
  decodeWrittenGeneric,
  decodeWrittenTicketKeys,
  decodeWrittenValidation,
} from '../../../xds/decode/written-secret.ts';
import type {
  CertificateValidationContext,
  GenericSecret,
  TlsCertificate,
  TlsSessionTicketKeys,
} from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const T = 'envoy.extensions.transport_sockets.tls.v3';
const place = { name: 'a', watchesFiles: true };
const certificate = (yaml: string, watchesFiles = true) =>
  decodedAs(`${T}.TlsCertificate`, `{${yaml}}`, (message: TlsCertificate, problems) =>
    decodeWrittenCertificate(message, { ...place, watchesFiles }, problems),
  );
const validation = (yaml: string, watchesFiles = true) =>
  decodedAs(`${T}.CertificateValidationContext`, `{${yaml}}`, (message: CertificateValidationContext, problems) =>
    decodeWrittenValidation(message, { ...place, watchesFiles }, problems),
  );
const pair = 'certificate_chain: {filename: /one/a.pem}, private_key: {filename: /two/a.key}';

t.test('a certificate, with the folders whose moves concern it', async (t) => {
  t.same(certificate(`${pair}, password: {environment_variable: P}, ocsp_staple: {filename: /two/staple}`), {
    value: {
      kind: 'certificate',
      name: 'a',
      certificateChain: { kind: 'file', path: '/one/a.pem' },
      privateKey: { kind: 'file', path: '/two/a.key' },
      password: { kind: 'environment', variable: 'P' },
      ocspStaple: { kind: 'file', path: '/two/staple' },
      watchedDirectories: ['/one', '/two'],
    },
    problems: [],
  });
  const folders = (yaml: string, watchesFiles?: boolean) => certificate(yaml, watchesFiles).value?.watchedDirectories;
  t.same(folders(pair, false), []);
  t.same(folders(`${pair}, watched_directory: {path: /w}`), ['/w']);
  t.same(folders(`${pair}, watched_directory: {path: /w}`, false), ['/w']);
  const inline = 'certificate_chain: {inline_string: a}, private_key: {inline_string: b}';
  t.same(folders(`${inline}, watched_directory: {path: /w}`), [], 'nothing of it is in a file');
});

t.test('what peers are judged by', async (t) => {
  const rules = { subjectAltNames: [], spkiHashes: [], certificateHashes: [] };
  t.same(validation('trusted_ca: {filename: /one/ca.pem}, crl: {filename: /two/crl.pem}').value, {
    kind: 'validation-context',
    name: 'a',
    roots: { kind: 'pem', pem: { kind: 'file', path: '/one/ca.pem' } },
    revocationLists: { kind: 'file', path: '/two/crl.pem' },
    rules,
    watchedDirectories: ['/one', '/two'],
  });
  t.match(validation('system_root_certs: {}').value, { roots: { kind: 'system' }, watchedDirectories: noItems });
  const spiffe = `custom_validator_config: {name: s, typed_config: {"@type": t/${T}.SPIFFECertValidatorConfig, trust_domains: [{name: d, trust_bundle: {filename: /three/d.pem}}]}}`;
  t.match(validation(spiffe).value, {
    trustDomains: onlyItems({ name: 'd' }),
    watchedDirectories: onlyItems('/three'),
  });
});

t.test('ticket keys and others', async (t) => {
  const keys = decodedAs(
    `${T}.TlsSessionTicketKeys`,
    '{keys: [{filename: /k/1}, {filename: /k/2}]}',
    (message: TlsSessionTicketKeys) => decodeWrittenTicketKeys(message, place),
  );
  t.match(keys.value, {
    kind: 'session-ticket-keys',
    keys: onlyItems({ path: '/k/1' }, { path: '/k/2' }),
    watchedDirectories: onlyItems('/k'),
  });
  const generic = (yaml: string) =>
    decodedAs(`${T}.GenericSecret`, yaml, (message: GenericSecret, problems) =>
      decodeWrittenGeneric(message, place, problems),
    );
  t.match(generic('{secret: {filename: /g/1}}').value, { kind: 'generic', value: { path: '/g/1' } });
  t.same(generic('{}').problems, ['secret: secret is required']);
  t.match(generic('{secrets: {a: {filename: /g/1}}}').problems[0], /^secrets: secrets is not supported; write secret$/);
});

t.test('problems', async (t) => {
  t.same(certificate('').problems, [
    'certificate_chain: certificate_chain is required',
    'private_key: private_key is required',
  ]);
  t.same(certificate(`${pair}, ocsp_staple: {inline_string: a}`).problems, [
    'ocsp_staple: text is not supported; it is DER: write inline_bytes or filename',
  ]);
  t.same(certificate(`${pair}, tls_params: {}`).problems, [
    'tls_params: tls_params is not supported; write tls_params of common_tls_context',
  ]);
});
