// `x-forwarded-client-cert`: whom the next hop may take the client for, by the certificate of its connection.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
//
// The header is as good as an identity to applications, so it fails closed: what a client sends without a certificate that
// was verified against our roots is removed, and a verified client cannot write an element of its own by the names in its
// certificate. Envoy takes a certificate that was only presented, too, and writes names as they are; for those that are what
// they should be both write the same.

import type { ClientCertDetail, ForwardClientCert } from '../../config/http-connection-manager.ts';
import { pemOf } from '../../config/pem.ts';
import type { CertificateFacts, TlsFacts } from '../transport/tls-facts.ts';
import { HeaderId, headerName } from './header-name.ts';
import type { HeaderTable } from './header-table.ts';

export class ClientCertForwarder {
  readonly #config: ForwardClientCert;
  /** Written once a connection: a chain takes kilobytes. */
  readonly #elements = new WeakMap<TlsFacts, string>();

  constructor(config: ForwardClientCert) {
    this.#config = config;
  }

  /** Of each request. `tls` is undefined for a plain connection. */
  apply(headers: HeaderTable, tls: TlsFacts | undefined): void {
    const { mode } = this.#config;
    if (mode === 'always-forward-only') return;
    if (mode === 'sanitize' || tls === undefined || tls.peer === null || !tls.isPeerVerified) {
      headers.removeId(HeaderId.xForwardedClientCert);
      return;
    }
    if (mode === 'forward-only') return;
    const element = this.#elementOf(tls, tls.peer);
    const received = mode === 'append-forward' ? headers.get(fieldName) : undefined;
    headers.set(fieldName, received === undefined || received === '' ? element : `${received},${element}`);
  }

  #elementOf(tls: TlsFacts, peer: CertificateFacts): string {
    let element = this.#elements.get(tls);
    if (element === undefined) {
      element = clientCertElement(peer, tls.own, this.#config.details);
      this.#elements.set(tls, element);
    }
    return element;
  }
}

/** One element of the list: `By` and `Hash`, then `details` in their order. */
export function clientCertElement(
  peer: CertificateFacts,
  own: CertificateFacts | null,
  details: readonly ClientCertDetail[],
): string {
  const pairs = (own?.uris ?? []).map((uri) => pair('By', uri));
  pairs.push(`Hash=${peer.sha256}`);
  for (const detail of details) pairs.push(...detailPairs(detail, peer));
  return pairs.join(';');
}

function detailPairs(detail: ClientCertDetail, peer: CertificateFacts): readonly string[] {
  switch (detail) {
    case 'cert':
      return [`Cert="${encodedPem(peer.chain.slice(0, 1))}"`];
    case 'chain':
      return [`Chain="${encodedPem(peer.chain)}"`];
    case 'subject':
      return [`Subject="${subjectText(peer.subject)}"`];
    // Without one its key is there all the same, as in Envoy.
    case 'uri':
      return peer.uris.length === 0 ? ['URI='] : peer.uris.map((uri) => pair('URI', uri));
    case 'dns':
      return peer.dnsNames.map((name) => pair('DNS', name));
  }
}

/**
 * Neither a URI nor a DNS name has a quote, a backslash, or a byte outside of printable ASCII (RFC 3986 section 2): where a
 * certificate has, it is percent-encoded, so that no reader need know how quotes are escaped.
 */
function pair(key: string, name: string): string {
  const text = name.replaceAll(/[^!#-[\]-~]/g, percentEncoded);
  return /[,;=]/.test(text) ? `${key}="${text}"` : `${key}=${text}`;
}

function percentEncoded(character: string): string {
  const code = character.charCodeAt(0);
  // Names are Latin-1: what is beyond is not from a certificate, and must not become another byte.
  return code > 0xff ? '%3F' : `%${hex(code)}`;
}

/**
 * RFC 2253 escapes quotes by a backslash, which is what the header wants. An escaped backslash is written as `\5C` (section
 * 2.4), or one at the end would hide the closing quote from a reader that does not know pairs; other bytes likewise.
 */
function subjectText(subject: string): string {
  return subject.replaceAll(/\\.?|"|[^ -~]/gs, (found) => {
    if (found === '\\' || found === '\\\\') return '\\5C';
    if (found.startsWith('\\')) return `\\${escapedByte(found[1]!)}`;
    return `\\${escapedByte(found)}`;
  });
}

/** What may follow a backslash: itself when printable, else its two digits. */
function escapedByte(character: string): string {
  const code = character.charCodeAt(0);
  if (code >= 0x20 && code < 0x7f) return character;
  return code > 0xff ? '3F' : hex(code);
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}

/** As Envoy encodes it: what PEM has beside letters, digits and dashes. */
export function encodedPem(chain: readonly Uint8Array[]): string {
  return chain
    .map((der) => pemOf('CERTIFICATE', der))
    .join('')
    .replaceAll(/[\n +/=]/g, percentEncoded);
}

const fieldName = headerName('x-forwarded-client-cert');
