import t from 'tap';
import { decodeTrustDomains, decodeValidationRules } from '../../../xds/decode/validation-rules.ts';
import type { CertificateValidationContext } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const type = 'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext';
const rules = (yaml: string) =>
  decodedAs(type, yaml, (message: CertificateValidationContext, problems) => decodeValidationRules(message, problems));
const hex = 'ab'.repeat(32);

t.test('rules', async (t) => {
  const none = { subjectAltNames: [], spkiHashes: [], certificateHashes: [] };
  const spki = Buffer.alloc(32, 7).toString('base64');
  const rows: readonly [yaml: string, value: object][] = [
    ['', none],
    [
      'match_typed_subject_alt_names: [{san_type: URI, matcher: {prefix: "spiffe://t/"}}, {san_type: DNS, matcher: {exact: a, ignore_case: true}}]',
      {
        ...none,
        subjectAltNames: [
          { type: 'uri', matcher: { kind: 'prefix', value: 'spiffe://t/', ignoreCase: false } },
          { type: 'dns', matcher: { kind: 'exact', value: 'a', ignoreCase: true } },
        ],
      },
    ],
    [
      'match_typed_subject_alt_names: [{san_type: EMAIL, matcher: {suffix: "@a"}}, {san_type: IP_ADDRESS, matcher: {contains: "1"}}, {san_type: DNS, matcher: {safe_regex: {regex: "a.*"}}}]',
      {
        ...none,
        subjectAltNames: [
          { type: 'email', matcher: { kind: 'suffix', value: '@a', ignoreCase: false } },
          { type: 'ip-address', matcher: { kind: 'contains', value: '1', ignoreCase: false } },
          { type: 'dns', matcher: { kind: 'regex', regex: 'a.*' } },
        ],
      },
    ],
    [
      'match_typed_subject_alt_names: [{san_type: OTHER_NAME, oid: 1.3.6.1.4.1.311.20.2.3, matcher: {suffix: "@a"}}, {san_type: DNS, oid: any, matcher: {exact: b}}]',
      {
        ...none,
        subjectAltNames: [
          {
            type: 'other-name',
            oid: '1.3.6.1.4.1.311.20.2.3',
            matcher: { kind: 'suffix', value: '@a', ignoreCase: false },
          },
          { type: 'dns', matcher: { kind: 'exact', value: 'b', ignoreCase: false } },
        ],
      },
    ],
    [
      'match_subject_alt_names: [{exact: a}]',
      { ...none, subjectAltNames: [{ type: 'any', matcher: { kind: 'exact', value: 'a', ignoreCase: false } }] },
    ],
    [`verify_certificate_spki: [${spki}]`, { ...none, spkiHashes: [spki] }],
    [
      `verify_certificate_hash: [${hex.toUpperCase()}, "${hex.match(/../g)!.join(':')}"]`,
      { ...none, certificateHashes: [hex, hex] },
    ],
    [
      'trust_chain_verification: ACCEPT_UNTRUSTED, allow_expired_certificate: true, only_verify_leaf_cert_crl: true, max_verify_depth: 0',
      { ...none, acceptsUntrusted: true, allowsExpired: true, onlyVerifiesLeafRevocation: true, maxVerifyDepth: 0 },
    ],
    ['trust_chain_verification: VERIFY_TRUST_CHAIN, allow_expired_certificate: false', none],
  ];
  for (const [yaml, value] of rows) t.same(rules(`{${yaml}}`), { value, problems: [] }, yaml);
});

t.test('problems', async (t) => {
  const rows: readonly [yaml: string, problem: RegExp][] = [
    [
      'match_typed_subject_alt_names: [{san_type: OTHER_NAME, matcher: {exact: a}}]',
      /^match_typed_subject_alt_names\[0\]\.oid: must be an object identifier/,
    ],
    ...['', '1', '3.1', '1..2', '1.02', '1.2.', 'msUPN', '1.2 '].map((oid): [string, RegExp] => [
      `match_typed_subject_alt_names: [{san_type: OTHER_NAME, oid: "${oid}", matcher: {exact: a}}]`,
      /\.oid: must be an object identifier/,
    ]),
    ['match_typed_subject_alt_names: [{matcher: {exact: a}}]', /san_type: san_type must be one of/],
    ['match_typed_subject_alt_names: [{san_type: DNS}]', /match_typed_subject_alt_names\[0\]\.matcher: .*required/],
    [
      `verify_certificate_spki: ["${'!'.repeat(44)}"]`,
      /^verify_certificate_spki\[0\]: must be the base64 of a SHA-256/,
    ],
    [`verify_certificate_hash: [${'z'.repeat(64)}]`, /^verify_certificate_hash\[0\]: must be a SHA-256 in hexadecimal/],
    [`verify_certificate_hash: ["${hex}ab"]`, /^verify_certificate_hash\[0\]: must be a SHA-256/],
    ['max_verify_depth: 101', /^max_verify_depth: must be at most 100/],
    ['require_signed_certificate_timestamp: true', /^require_signed_certificate_timestamp: .*not supported/],
    ['suppress_client_ca_list: true', /^suppress_client_ca_list: .*not supported/],
    ['ca_certificate_provider_instance: {}', /^ca_certificate_provider_instance: .*not supported/],
  ];
  for (const [yaml, problem] of rows) t.match(rules(`{${yaml}}`).problems[0], problem, yaml);
});

t.test('trust domains of SPIFFE, each with its bundle', async (t) => {
  const domains = (config: string, name = 'SPIFFECertValidatorConfig') =>
    decodedAs(
      type,
      `{custom_validator_config: {name: envoy.tls.cert_validator.spiffe, typed_config: {"@type": t/envoy.extensions.transport_sockets.tls.v3.${name}, ${config}}}}`,
      (message: CertificateValidationContext, problems) =>
        decodeTrustDomains(message, problems.at('custom_validator_config')),
    );
  t.same(domains('trust_domains: [{name: a.example, trust_bundle: {filename: /a.pem}}]'), {
    value: [{ name: 'a.example', roots: { kind: 'file', path: '/a.pem' } }],
    problems: [],
  });
  const place = 'custom_validator_config.typed_config.trust_domains';
  const rows: readonly [yaml: string, problem: string][] = [
    ['trust_domains: [{name: a}]', `${place}[0].trust_bundle: trust_bundle is required`],
    [
      'trust_domains: [{name: a, trust_bundle: {filename: /a}}, {name: a, trust_bundle: {filename: /b}}]',
      `${place}[1].name: "a" is a trust domain of another bundle`,
    ],
    [
      'trust_domains: [{name: "spiffe://a", trust_bundle: {filename: /a}}]',
      `${place}[0].name: is the name alone, such as cluster.local`,
    ],
    [
      'trust_domains: [{name: a, trust_bundle: {filename: /a}, workload_trust_domain: b}]',
      `${place}[0].workload_trust_domain: workload_trust_domain is not supported; certificates choose their bundle by their own trust domain`,
    ],
  ];
  for (const [yaml, problem] of rows) t.same(domains(yaml).problems, [problem], yaml);
  t.match(domains('', 'UpstreamTlsContext').problems[0], /certificate validator .* is not supported/);
});
