// Certificates made once for the tests of a file, and secrets in YAML.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateFiles, makeLeaf, makeRoot } from './certificates.ts';

export interface IssuedFiles extends CertificateFiles {
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface SecretFiles {
  readonly directory: string;
  readonly root: IssuedFiles;
  readonly leaf: IssuedFiles;
  /** Of the same root. */
  readonly other: IssuedFiles;
  /** The leaf's key under the password `letters`. */
  readonly encryptedKey: string;
  /** Another leaf of the root. */
  readonly issue: (name: string) => IssuedFiles;
}

export function makeSecretFiles(directory: string): SecretFiles {
  const root = withText(makeRoot(directory, 'root'));
  const issue = (name: string): IssuedFiles =>
    withText(makeLeaf({ directory, name, root, subjectAltName: `DNS:${name}.example` }));
  const leaf = issue('leaf');
  const encryptedKey = join(directory, 'encrypted.key');
  execFileSync('openssl', ['pkcs8', '-topk8', '-in', leaf.key, '-out', encryptedKey, '-passout', 'pass:letters']);
  return { directory, root, leaf, other: issue('other'), encryptedKey, issue };
}

/** `tls_certificate` of a secret: the files themselves, or their texts. */
export function certificateYaml(files: IssuedFiles, place: 'files' | 'inline' = 'files'): string {
  return place === 'files'
    ? `{certificate_chain: {filename: ${files.certificate}}, private_key: {filename: ${files.key}}}`
    : `{certificate_chain: {inline_string: ${JSON.stringify(files.chainPem)}}, private_key: {inline_string: ${JSON.stringify(files.keyPem)}}}`;
}

/** A listener that shows the certificate that is named, and forwards to a cluster. */
export function tlsListener(name: string, port: number, common: string): string {
  const proxy = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
  const filter = `{name: tcp, typed_config: {"@type": ${proxy}, stat_prefix: tcp, cluster: c}}`;
  const socket = `{name: tls, typed_config: {"@type": t/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: ${common}}}`;
  const address = `{socket_address: {address: 127.0.0.1, port_value: ${port}}}`;
  return `{name: ${name}, address: ${address}, filter_chains: [{filters: [${filter}], transport_socket: ${socket}}]}`;
}

/** A cluster without endpoints whose connections are under TLS. */
export function tlsCluster(name: string, common: string): string {
  const socket = `{name: tls, typed_config: {"@type": t/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: ${common}}}`;
  return `{name: ${name}, load_assignment: {cluster_name: ${name}}, transport_socket: ${socket}}`;
}

function withText(files: CertificateFiles): IssuedFiles {
  return {
    ...files,
    chainPem: readFileSync(files.certificate, 'utf8'),
    keyPem: readFileSync(files.key, 'utf8'),
  };
}
