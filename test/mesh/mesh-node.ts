// A node of a mesh, in the network namespace of the test: a bridge with pods on it, each a network namespace behind a veth
// pair, and istiod on the node's own address.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import type { Istiod } from '../istio/istiod.ts';
import { CapturePeer } from '../support/capture-peer.ts';
import { programFile } from '../support/program-file.ts';
import type { IssuedIdentity } from '../support/tls-fixtures.ts';

/** The node's address, which istiod listens at. */
export const NODE_IP = '10.77.0.1';

/** The name in istiod's certificate. */
const ISTIOD = 'istiod.istio-system.svc';
/** Folder of what is mounted, in that of the sidecar. */
const CREDENTIALS = 'credentials';
const ROOT = join(import.meta.dirname, '../..');
/** As Istio's sidecars have it: what they open themselves is not redirected. */
const PROXY_GROUP = 1337;
/** Of setpriv: what a test has begun ends with it, also when it is killed. Nobody would find it in its network namespace. */
const WITH_TEST = ['--pdeathsig', 'KILL'];
/** A sidecar that redirects by itself needs root; another has Istio's user, and may read what the test wrote. */
const PRIVILEGES = {
  iptables: `--regid ${PROXY_GROUP}`,
  none: `--reuid ${PROXY_GROUP} --regid ${PROXY_GROUP} --inh-caps +dac_override --ambient-caps +dac_override`,
};

export function startNode(): void {
  run('ip link set lo up');
  run('ip link add mesh0 type bridge');
  run(`ip address add ${NODE_IP}/24 dev mesh0`);
  run('ip link set mesh0 up');
}

export interface PodOptions {
  readonly name: string;
  readonly ip: string;
}

export interface Pod extends PodOptions {
  /** A program of the pod, in the place of its application. */
  readonly application: CapturePeer;
  /** Starts an HTTP server at the port, which answers with what it was asked, as JSON; over TLS with an identity. */
  serveHttp(port: number, identity?: IssuedIdentity): Promise<void>;
  /** Runs a shell command in it, and returns what it printed. */
  run(command: string): string;
  readonly holder: number;
}

let links = 0;

export async function startPod(t: Test, { name, ip }: PodOptions): Promise<Pod> {
  const program = 'ip link set lo up; echo ready; exec sleep infinity';
  const holder = spawn('setpriv', [...WITH_TEST, 'unshare', '--net', 'sh', '-c', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout!, 'data');
  const link = `pod${++links}`;
  const there = (command: string): string => run(`nsenter --target ${holder.pid} --net ${command}`);
  run(`ip link add ${link} type veth peer name eth0 netns ${holder.pid}`);
  run(`ip link set ${link} master mesh0 up`);
  there(`ip address add ${ip}/24 dev eth0`);
  there('ip link set eth0 up');
  // Addresses of services are nowhere: the sidecar is asked for them, or nobody answers.
  there(`ip route add default via ${NODE_IP}`);
  const application = await CapturePeer.start({ namespaceOf: holder.pid! });
  t.teardown(async () => {
    await application.stop();
    await end(holder);
  });
  const serveHttp = async (port: number, identity?: IssuedIdentity): Promise<void> => {
    const program = join(import.meta.dirname, 'http-application.ts');
    const files = identity === undefined ? [] : filesOf(t, identity);
    const server = inPod(holder.pid!, [process.execPath, program, ip, String(port), ...files]);
    t.teardown(() => end(server));
    await once(server.stdout!, 'data');
  };
  return { name, ip, application, serveHttp, run: there, holder: holder.pid! };
}

/** Paths of files with the certificate and the key. */
export function filesOf(t: Test, { certificateChain, privateKey }: IssuedIdentity): readonly [string, string] {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-identity-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  writeFileSync(certificate, certificateChain);
  writeFileSync(key, privateKey);
  return [certificate, key];
}

export interface SidecarOptions {
  readonly istiod: Istiod;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  /** What is mounted for it, with PEM of the roots it trusts; Istio's CA is asked otherwise. */
  readonly mounted?: { readonly identity: IssuedIdentity; readonly roots: string };
  /** `none` where the rules of somebody else are in force. */
  readonly capture?: 'iptables' | 'none';
}

export interface MeshSidecar {
  readonly process: ChildProcess;
  readonly log: readonly string[];
  admin(path: string): string;
  /** Resolves when a line of its log, past or future, has this text. */
  logged(text: string): Promise<void>;
  /** Resolves when it says that it is ready. */
  ready(): Promise<void>;
  /** Puts another certificate in the place of the one that is mounted. */
  rotate(identity: IssuedIdentity): void;
}

/** `outrigger sidecar` beside the pod's application, which captures by rules. */
export function startMeshSidecar(t: Test, pod: Pod, options: SidecarOptions): MeshSidecar {
  const { istiod, serviceAccount, labels, variables = {}, capture = 'iptables', mounted } = options;
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-mesh-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'token'), `lab:shop:${serviceAccount}`);
  writeFileSync(join(folder, 'hosts'), `${NODE_IP} ${ISTIOD}\n127.0.0.1 localhost\n`);
  const arguments_ = [
    'sidecar',
    '--proxyLogLevel=info',
    '--no-config-cache',
    '--capture',
    capture,
    '--concurrency',
    '1',
  ];
  const mount = mounted === undefined ? '' : mountCredentials(folder, mounted);
  const command = `${mount}mount --bind ${folder}/hosts /etc/hosts && exec setpriv ${WITH_TEST.join(' ')} ${PRIVILEGES[capture]} --clear-groups "$0" "$@"`;
  const child = spawn(
    'nsenter',
    [
      '--target',
      String(pod.holder),
      '--net',
      'unshare',
      '--mount',
      'sh',
      '-c',
      command,
      process.execPath,
      programFile('proxy/main.ts'),
      ...arguments_,
    ],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        POD_NAME: pod.name,
        POD_NAMESPACE: 'shop',
        INSTANCE_IP: pod.ip,
        SERVICE_ACCOUNT: serviceAccount,
        ISTIO_METAJSON_LABELS: JSON.stringify({ LABELS: labels }),
        CA_ROOT_CA: istiod.rootCertificate,
        JWT_TOKEN_PATH: join(folder, 'token'),
        ECC_SIGNATURE_ALGORITHM: 'ECDSA',
        PROXY_CONFIG: JSON.stringify({ discoveryAddress: `${ISTIOD}:${istiod.tlsPort}` }),
        ...variables,
      },
    },
  );
  const log: string[] = [];
  t.teardown(async () => {
    await end(child);
    if (!t.passing()) writeFileSync(2, `${pod.name}:\n${log.join('\n')}\n`);
  });
  const logged = lineReader(child, log);
  const admin = (path: string): string => pod.run(`curl -s --max-time 60 http://127.0.0.1:15000${path}`);
  const ready = async (): Promise<void> => {
    await logged('"configuration is served"');
    pod.run('curl -s --retry 100 --retry-all-errors --retry-delay 0 --fail http://127.0.0.1:15021/healthz/ready');
  };
  const rotate = (identity: IssuedIdentity): void => writeCredentials(folder, identity);
  return { process: child, log, admin, logged, ready, rotate };
}

/** Writes them into the folder, and returns the commands that put them where sidecars look, in a namespace of mounts. */
function mountCredentials(folder: string, { identity, roots }: NonNullable<SidecarOptions['mounted']>): string {
  const credentials = join(folder, CREDENTIALS);
  mkdirSync(credentials);
  writeCredentials(folder, identity);
  writeFileSync(join(credentials, 'root-cert.pem'), roots);
  const link = `ln -s ${credentials} /var/run/secrets/workload-spiffe-credentials`;
  return `mount -t tmpfs tmpfs /var/run && mkdir /var/run/secrets && ${link} && `;
}

function writeCredentials(folder: string, { certificateChain, privateKey }: IssuedIdentity): void {
  const files = { 'cert-chain.pem': certificateChain, 'key.pem': privateKey };
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, CREDENTIALS, name);
    writeFileSync(`${path}.next`, text);
    renameSync(`${path}.next`, path);
  }
}

/** Collects lines, and resolves with the first that has a text; rejects with all of them when the process ends. */
function lineReader(child: ChildProcess, log: string[]): (text: string) => Promise<void> {
  const news = new EventEmitter();
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.push(line);
      news.emit('line');
    });
  }
  const ended = once(child, 'close').then(() => 'ended');
  return async (text) => {
    while (!log.some((line) => line.includes(text))) {
      const event = await Promise.race([once(news, 'line'), ended]);
      if (event === 'ended') throw new Error(`the sidecar ended:\n${log.join('\n')}`);
    }
  };
}

function inPod(holder: number, command: readonly string[]): ChildProcess {
  const args = ['--target', String(holder), '--net', 'setpriv', ...WITH_TEST, ...command];
  return spawn('nsenter', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}

function run(command: string): string {
  return execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
