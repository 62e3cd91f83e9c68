// The command line of `outrigger control-plane`.

import { parseArgs } from 'node:util';
import type { GrpcCredentials } from '../config/config-source.ts';

export interface ControlPlaneFlags {
  readonly folder: string;
  readonly listen: string;
  readonly status: string | undefined;
  readonly tls: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string } | undefined;
  readonly upstreams: readonly UpstreamFlag[];
  /** Of all upstreams; files are read for each connection. */
  readonly upstreamCredentials: GrpcCredentials;
  /** Who this is to its upstreams. */
  readonly nodeId: string;
  readonly sourceTtlMs: number;
  /** Reports what is wrong with the folder, and ends. */
  readonly isCheck: boolean;
}

export interface UpstreamFlag {
  /** The address unless it has one. */
  readonly name: string;
  readonly address: string;
}

export const usage = `outrigger control-plane --dir DIR --listen ADDRESS [option…]

  --dir DIR            folder with resources; followed while it runs
  --listen ADDRESS     where data planes connect: 127.0.0.1:18000, [::]:18000 or unix:/path
  --status ADDRESS     answers /status and /ready by HTTP
  --tls-cert FILE      serve by TLS with this certificate chain (PEM) …
  --tls-key FILE       … and its private key
  --client-ca FILE     serve only clients with a certificate of this authority (PEM)
  --upstream [NAME=]ADDRESS
                       another control plane whose resources are served too; may be repeated
  --upstream-ca FILE   reach upstreams by TLS; certificates of their authorities (PEM)
  --upstream-san NAME  DNS name that their certificates must be for; their host's when left out
  --upstream-cert FILE certificate chain to show them (PEM) …
  --upstream-key FILE  … and its private key
  --upstream-token FILE
                       bearer token to show them; only with --upstream-ca
  --source-ttl SECONDS how long the last state of a lost upstream is served; default 3600, 0 is for ever
  --node ID            node id that upstreams are told; Istio needs sidecar~IP~POD.NAMESPACE~DOMAIN
  --check              report what is wrong with the folder, and end
  --help               this
`;

/** A command line that cannot be used; the message says what would be right. */
export class FlagError extends Error {}

/** Undefined when help was asked for. Throws FlagError. */
export function parseControlPlaneFlags(args: readonly string[]): ControlPlaneFlags | undefined {
  const values = valuesOf(args);
  if (values.help === true) return undefined;
  const { dir, listen, check = false } = values;
  if (dir === undefined) throw new FlagError('a folder is needed: --dir DIR');
  if (listen === undefined && !check) throw new FlagError('an address is needed: --listen 127.0.0.1:18000');
  return {
    folder: dir,
    listen: listen === undefined ? '' : listenAddress(listen),
    status: values.status === undefined ? undefined : addressWithPort('--status', values.status),
    tls: tlsOf(values['tls-cert'], values['tls-key'], values['client-ca']),
    upstreams: upstreamsOf(values.upstream ?? []),
    upstreamCredentials: upstreamCredentialsOf(values),
    nodeId: values.node ?? 'outrigger-control-plane',
    sourceTtlMs: secondsOf('--source-ttl', values['source-ttl'] ?? '3600') * 1000,
    isCheck: check,
  };
}

function valuesOf(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const toggle = { type: 'boolean' } as const;
  const options = {
    dir: text,
    listen: text,
    status: text,
    'tls-cert': text,
    'tls-key': text,
    'client-ca': text,
    upstream: { type: 'string', multiple: true },
    'upstream-ca': text,
    'upstream-san': text,
    'upstream-cert': text,
    'upstream-key': text,
    'upstream-token': text,
    'source-ttl': text,
    node: text,
    check: toggle,
    help: toggle,
  } as const;
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new FlagError((error as Error).message);
  }
}

function listenAddress(text: string): string {
  return text.startsWith('unix:') ? text : addressWithPort('--listen', text);
}

function addressWithPort(flag: string, text: string): string {
  const port = /^(?:\[[\da-f:.]+\]|[^:[\]]+):(\d{1,5})$/i.exec(text)?.[1];
  if (port !== undefined && Number(port) <= 65_535) return text;
  throw new FlagError(`${flag} ${text}: expected an address and a port, such as 127.0.0.1:18000`);
}

function tlsOf(
  certificate: string | undefined,
  key: string | undefined,
  clientAuthority: string | undefined,
): ControlPlaneFlags['tls'] {
  if (certificate !== undefined && key !== undefined) {
    return { certificate, key, ...(clientAuthority !== undefined && { clientAuthority }) };
  }
  if (certificate !== undefined || key !== undefined || clientAuthority !== undefined) {
    throw new FlagError('TLS needs both --tls-cert and --tls-key');
  }
  return undefined;
}

function upstreamsOf(texts: readonly string[]): readonly UpstreamFlag[] {
  const upstreams = texts.map((text) => {
    const equals = text.indexOf('=');
    return { name: equals < 0 ? text : text.slice(0, equals), address: text.slice(equals + 1) };
  });
  for (const [index, { name, address }] of upstreams.entries()) {
    if (name === '' || address === '')
      throw new FlagError(`--upstream ${texts[index]}: expected NAME=ADDRESS or ADDRESS`);
    checkUpstreamAddress(texts[index]!, address);
    if (upstreams.findIndex((other) => other.name === name) !== index)
      throw new FlagError(`--upstream ${name} is there twice`);
  }
  return upstreams;
}

/** The library would take port 443 for one that is left out, and ask DNS for `http://…`. */
function checkUpstreamAddress(text: string, address: string): void {
  const [, port] = /^(?:dns:(?:\/\/[^/]*\/)?|ipv[46]:)?(?:\[[\da-f:.]+\]|[^:[\]/\s]+):(\d{1,5})$/i.exec(address) ?? [];
  if (/^unix:./.test(address) || (port !== undefined && Number(port) > 0 && Number(port) <= 65_535)) return;
  const hint = /^https?:/i.test(address) ? '; whether TLS is spoken, --upstream-ca says' : '';
  throw new FlagError(
    `--upstream ${text}: expected a host and a port, such as istiod.istio-system.svc:15010, or unix:/path${hint}`,
  );
}

/** A key, a token or a name without TLS would be shown to anybody, or not be looked at. */
function upstreamCredentialsOf(values: ReturnType<typeof valuesOf>): GrpcCredentials {
  const { 'upstream-ca': roots, 'upstream-san': san, 'upstream-token': token } = values;
  const { 'upstream-cert': certificate, 'upstream-key': key } = values;
  if (roots === undefined) {
    if (san !== undefined || token !== undefined || certificate !== undefined || key !== undefined)
      throw new FlagError('what is shown to upstreams, or looked for in their certificates, needs --upstream-ca');
    return {};
  }
  if ((certificate === undefined) !== (key === undefined))
    throw new FlagError('--upstream-cert and --upstream-key need each other');
  return {
    tls: {
      roots: { kind: 'file', path: roots },
      subjectAltNames: san === undefined ? [] : [{ type: 'dns', value: san }],
      ...(san !== undefined && { sni: san }),
      ...(certificate !== undefined && { certificateChain: { kind: 'file', path: certificate } }),
      ...(key !== undefined && { privateKey: { kind: 'file', path: key } }),
    },
    ...(token !== undefined && { accessToken: { kind: 'file', path: token } }),
  };
}

function secondsOf(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new FlagError(`${name} ${text}: expected a whole number of seconds`);
}
