// Commands that read what TLS showed of a connection: nothing on a plain one.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators

import type { FormatCommand } from '../../config/format-commands.ts';
import { encodedPem } from '../http/forwarded-client-cert.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import { certificateOf, type ReadCertificate } from '../tls/certificate-facts.ts';
import type { CertificateFacts, TlsFacts } from '../transport/tls-facts.ts';
import { withoutControls } from './byte-string.ts';
import type { FormatContext, Operator } from './format-context.ts';
import { compileTimePattern } from './time-format.ts';

type Side = (info: StreamInfo) => TlsFacts | null;
type Compiler = (command: FormatCommand) => Operator;

const downstream: Side = (info) => info.downstreamTls;
const upstream: Side = (info) => info.upstreamTls;
const client: Owner = (info) => info.downstreamTls?.peer ?? null;

/** By command name: makes the operator for one use of the command. */
export const tlsOperators: Readonly<Record<string, Compiler>> = {
  ...connectionOperators('DOWNSTREAM', downstream),
  ...connectionOperators('UPSTREAM', upstream),
  ...certificateOperators('DOWNSTREAM_PEER', client, (info) => verified(info.downstreamTls)),
  ...certificateOperators('DOWNSTREAM_LOCAL', (info) => info.downstreamTls?.own ?? null),
  ...certificateOperators('UPSTREAM_PEER', (info) => info.upstreamTls?.peer ?? null),
  ...certificateOperators('UPSTREAM_LOCAL', (info) => info.upstreamTls?.own ?? null),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256: text(client, (certificate) => readOf(certificate).sha256s),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1: text(client, (certificate) => readOf(certificate).sha1s),
  DOWNSTREAM_PEER_CHAIN_SERIALS: text(client, (certificate) => readOf(certificate).serials),
  DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256: text(client, (certificate) => readOf(certificate).issuerSha256),
  DOWNSTREAM_PEER_ISSUER_SERIAL: text(client, (certificate) => readOf(certificate).issuerSerial),
  UPSTREAM_SERVER_NAME: text(upstream, ({ serverName }) => serverName),
};

function connectionOperators(prefix: string, side: Side): Readonly<Record<string, Compiler>> {
  return {
    [`${prefix}_TLS_VERSION`]: text(side, ({ version }) => version),
    [`${prefix}_TLS_CIPHER`]: text(side, ({ cipher }) => opensslName(cipher)),
    [`${prefix}_TLS_GROUP`]: text(side, ({ group }) => group),
    [`${prefix}_TLS_SESSION_ID`]: text(side, ({ sessionId }) => sessionId ?? ''),
  };
}

type Owner = (info: StreamInfo) => CertificateFacts | null;

/** Nobody vouches for the names of another: they could be anybody's, and go into logs and headers as who the client is. */
function verified(tls: TlsFacts | null): CertificateFacts | null {
  return tls?.isPeerVerified ? tls.peer : null;
}

/** `named`: whose names are told. */
function certificateOperators(prefix: string, owner: Owner, named = owner): Readonly<Record<string, Compiler>> {
  return {
    [`${prefix}_SUBJECT`]: text(named, ({ subject }) => subject),
    [`${prefix}_ISSUER`]: text(named, ({ issuer }) => issuer),
    [`${prefix}_SERIAL`]: text(owner, ({ serial }) => serial),
    [`${prefix}_FINGERPRINT_256`]: text(owner, ({ sha256 }) => sha256),
    [`${prefix}_FINGERPRINT_1`]: text(owner, ({ sha1 }) => sha1),
    [`${prefix}_URI_SAN`]: text(named, ({ uris }) => uris.join(',')),
    [`${prefix}_DNS_SAN`]: text(named, ({ dnsNames }) => dnsNames.join(',')),
    [`${prefix}_IP_SAN`]: text(named, ({ ipAddresses }) => ipAddresses.join(',')),
    [`${prefix}_EMAIL_SAN`]: text(named, ({ emails }) => emails.join(',')),
    [`${prefix}_OTHERNAME_SAN`]: text(named, (certificate) => readOf(certificate).otherNames),
    [`${prefix}_CERT`]: text(owner, certificateText),
    [`${prefix}_CERT_V_START`]: time(owner, ({ notBeforeMs }) => notBeforeMs),
    [`${prefix}_CERT_V_END`]: time(owner, ({ notAfterMs }) => notAfterMs),
  };
}

// Names are a peer's bytes: none may end the line it stands in.
function text<T>(owner: (info: StreamInfo) => T | null, read: (facts: T) => string): Compiler {
  return () =>
    ({ info }: FormatContext) => {
      const facts = owner(info);
      if (facts === null) return null;
      const value = read(facts);
      return value === '' ? null : withoutControls(value);
    };
}

// Whole seconds with zeros behind them by default, as Envoy writes the times of certificates.
function time(owner: Owner, read: (facts: CertificateFacts) => number): Compiler {
  return ({ argument }) => {
    const format = compileTimePattern(argument || '%Y-%m-%dT%H:%M:%S.000Z');
    return ({ info }) => {
      const certificate = owner(info);
      return certificate === null ? null : format(read(certificate));
    };
  };
}

/** A connection has one certificate, and may have a million lines of log. */
const certificateTexts = new WeakMap<CertificateFacts, string>();

function certificateText(certificate: CertificateFacts): string {
  let encoded = certificateTexts.get(certificate);
  if (encoded === undefined) {
    encoded = encodedPem(certificate.chain.slice(0, 1));
    certificateTexts.set(certificate, encoded);
  }
  return encoded;
}

/** What only logs ask of a certificate and of those that came along, which are in the order in which they came. */
interface LoggedChain {
  readonly otherNames: string;
  readonly sha256s: string;
  readonly sha1s: string;
  readonly serials: string;
  readonly issuerSha256: string;
  readonly issuerSerial: string;
}

const loggedChains = new WeakMap<CertificateFacts, LoggedChain>();

function readOf(certificate: CertificateFacts): LoggedChain {
  let logged = loggedChains.get(certificate);
  if (logged === undefined) {
    logged = readChain(certificate);
    loggedChains.set(certificate, logged);
  }
  return logged;
}

function readChain({ chain }: CertificateFacts): LoggedChain {
  const read = chain.map((der) => certificateOf(Buffer.from(der))).filter((each) => each !== undefined);
  const joined = (value: (facts: ReadCertificate['facts']) => string) =>
    read.map(({ facts }) => value(facts)).join(',');
  return {
    otherNames: read[0]?.certificate.otherNames.map(({ value }) => value).join(',') ?? '',
    sha256s: joined(({ sha256 }) => sha256),
    sha1s: joined(({ sha1 }) => sha1),
    serials: joined(({ serial }) => serial),
    issuerSha256: read[1]?.facts.sha256 ?? '',
    issuerSerial: read[1]?.facts.serial ?? '',
  };
}

const openssl12 = /^TLS_(ECDHE_)?(ECDSA|RSA)_WITH_(AES|CHACHA20)_(128|256|POLY1305)_(?:(GCM|CBC)_)?(SHA\d*)$/;

/** Ciphers of TLS 1.2 have other names in OpenSSL than in the RFCs, and Envoy logs those. */
export function opensslName(cipher: string): string {
  const parts = openssl12.exec(cipher);
  if (parts === null) return cipher;
  const [, ephemeral, key, kind, size, mode, digest] = parts;
  const exchange = ephemeral === undefined ? '' : `ECDHE-${key}-`;
  if (kind === 'CHACHA20') return `${exchange}CHACHA20-POLY1305`;
  return `${exchange}AES${size}${mode === 'GCM' ? '-GCM' : ''}-${digest}`;
}
