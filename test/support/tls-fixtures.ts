// Authorities, what they sign, and two connected sessions, for tests of TLS.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, setNoDelay } from '../../native/socket.ts';
import {
  type TlsClientOptions,
  TlsContext,
  type TlsContextOptions,
  type TlsServerOptions,
} from '../../native/tls-context.ts';
import type { TlsIdentity } from '../../native/tls-identity.ts';
import { TlsSession } from '../../native/tls-session.ts';
import { connectedPair } from './socket-pair.ts';

/** PEM. */
export interface IssuedIdentity extends TlsIdentity {
  readonly certificateChain: string;
  readonly privateKey: string;
}

export interface LeafTerms {
  readonly subjectAltName?: string;
  readonly keyType?: 'ec' | 'rsa';
  /** As openssl writes dates: `20200101000000Z`. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  /** Lines of an extension section. */
  readonly extensions?: string;
}

/** A certificate authority in a folder, by `openssl ca`: the one command of every version that sets dates and revokes. */
export class Authority {
  readonly certificate: string;
  readonly #folder: string;
  #issued = 0;

  private constructor(folder: string, name: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    for (const [file, content] of [
      ['index', ''],
      ['index.attr', 'unique_subject = no\n'],
      ['serial', '1000\n'],
      ['crlnumber', '01\n'],
    ])
      writeFileSync(join(folder, file!), content!);
    const extensions =
      'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n';
    this.#config(extensions);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', this.#path('ca.key')];
    this.#run(
      'req',
      '-x509',
      ...key,
      '-out',
      this.#path('ca.pem'),
      '-subj',
      `/CN=${name}`,
      '-extensions',
      'issued',
      '-days',
      '2',
      '-config',
      this.#path('ca.conf'),
    );
    this.certificate = readFileSync(this.#path('ca.pem'), 'utf8');
  }

  static make(folder: string, name: string): Authority {
    return new Authority(folder, name);
  }

  issue(terms: LeafTerms = {}): IssuedIdentity {
    const { subjectAltName = 'DNS:example.test', keyType = 'ec', notBefore, notAfter, extensions = '' } = terms;
    this.#issued += 1;
    const name = `leaf${this.#issued}`;
    const newKey =
      keyType === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', 'rsa:2048'];
    this.#run(
      'req',
      ...newKey,
      '-nodes',
      '-keyout',
      this.#path(`${name}.key`),
      '-out',
      this.#path(`${name}.csr`),
      '-subj',
      `/CN=${name}`,
    );
    this.#config(`${extensions}\n${subjectAltName === '' ? '' : `subjectAltName=${subjectAltName}`}\n`);
    const dates = ['-startdate', notBefore ?? dayFromNow(-1), '-enddate', notAfter ?? dayFromNow(2)];
    this.#run(
      'ca',
      '-batch',
      '-notext',
      '-config',
      this.#path('ca.conf'),
      '-extensions',
      'issued',
      ...dates,
      '-in',
      this.#path(`${name}.csr`),
      '-out',
      this.#path(`${name}.pem`),
    );
    return {
      certificateChain: readFileSync(this.#path(`${name}.pem`), 'utf8'),
      privateKey: readFileSync(this.#path(`${name}.key`), 'utf8'),
    };
  }

  /** The list that names the last `count` certificates. */
  revokeLast(count: number): string {
    for (let number = this.#issued; number > this.#issued - count; number--)
      this.#run('ca', '-config', this.#path('ca.conf'), '-revoke', this.#path(`leaf${number}.pem`));
    this.#run('ca', '-config', this.#path('ca.conf'), '-gencrl', '-crldays', '2', '-out', this.#path('crl.pem'));
    return readFileSync(this.#path('crl.pem'), 'utf8');
  }

  #config(extensions: string): void {
    const folder = this.#folder;
    writeFileSync(
      this.#path('ca.conf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${folder}/index\nnew_certs_dir=${folder}\nserial=${folder}/serial\ncrlnumber=${folder}/crlnumber
certificate=${folder}/ca.pem\nprivate_key=${folder}/ca.key\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=optional
[req]\ndistinguished_name=n\n[n]\n[issued]\n${extensions}`,
    );
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  #run(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}

/** The same key under a password (PKCS #8). */
export function encryptKey(privateKey: string, password: string): string {
  return execFileSync('openssl', ['pkcs8', '-topk8', '-passout', `pass:${password}`], {
    input: privateKey,
    encoding: 'utf8',
    stdio: 'pipe',
  });
}

export function contextFor(t: Test, options: TlsContextOptions): TlsContext {
  const context = TlsContext.create(options);
  if (typeof context === 'string') throw new Error(context);
  t.teardown(() => context.close());
  return context;
}

export interface SessionPair {
  readonly server: TlsSession;
  readonly client: TlsSession;
  readonly serverFd: number;
  readonly clientFd: number;
}

/** Two sessions over TCP, freed and closed with the test. */
export function sessionPair(
  t: Test,
  serverOptions: Omit<TlsServerOptions, 'side'>,
  clientOptions: Omit<TlsClientOptions, 'side'>,
): SessionPair {
  const [clientFd, serverFd] = connectedPair();
  for (const fd of [clientFd, serverFd]) setNoDelay(fd, true);
  const server = sessionFor(t, contextFor(t, { ...serverOptions, side: 'server' }), serverFd);
  const client = sessionFor(t, contextFor(t, { ...clientOptions, side: 'client' }), clientFd, 'example.test');
  t.teardown(() => {
    close(serverFd);
    close(clientFd);
  });
  return { server, client, serverFd, clientFd };
}

export function sessionFor(...[t, context, fd, serverName]: [Test, TlsContext, number, string?]): TlsSession {
  const session = TlsSession.create(context, fd, serverName);
  if (typeof session === 'string') throw new Error(session);
  t.teardown(() => session.free());
  return session;
}

/** Both handshakes until each is done or has failed. Returns what they came to, the server's first. */
export function shakeHands({ server, client }: Pick<SessionPair, 'server' | 'client'>): [number, number] {
  let results: [number, number] = [-Errno.EAGAIN, -Errno.EAGAIN];
  for (let step = 0; step < 100 && results.includes(-Errno.EAGAIN); step++)
    results = [server.handshake(), client.handshake()];
  return results;
}

export const wire = new NativeBuffer(1 << 20);

/** Writes `text` on one side and reads what comes on the other. */
export function passText(from: TlsSession, to: TlsSession, text: string): string {
  const length = wire.bytes.write(text, 'latin1');
  const written = from.write(wire, 0, length);
  if (written !== length) throw new Error(`written ${written} of ${length}`);
  const received = to.read(wire, 65536, 65536);
  return received < 0 ? `outcome ${received}` : wire.bytes.toString('latin1', 65536, 65536 + received);
}

function dayFromNow(days: number): string {
  const date = new Date(Date.now() + days * 86_400_000);
  return `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}
