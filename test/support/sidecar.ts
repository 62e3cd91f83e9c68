// The whole process as users start it, on a bootstrap of a test: main thread, workers, admin interface.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { findNewerLibc } from '../../build/newer-libc.ts';
import { programFile } from './program-file.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface Sidecar {
  readonly process: ChildProcess;
  /** Bound address (`127.0.0.1:3128`, a path) of each listener by name; known when `ready`. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Port of the admin interface. */
  readonly adminPort: number;
  /** Lines of the process's log so far, as objects. */
  readonly log: readonly LogLine[];
  /** Resolves with the first line, past or future, whose message matches; rejects if the process ends without it. */
  logged(message: RegExp): Promise<LogLine>;
  /** Resolves with the exit code when the process has ended. */
  readonly ended: Promise<number | null>;
  port(listener: string): number;
  admin(path: string, method?: 'GET' | 'POST'): Promise<string>;
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface SidecarOptions {
  /** Without `admin`, which is added on a port of its own. */
  readonly bootstrap: object;
  readonly flags?: readonly string[];
  /** `outrigger sidecar` with this environment; it makes its admin interface itself. */
  readonly sidecarVariables?: Readonly<Record<string, string>>;
  /** `ulimit -n`. */
  readonly descriptors?: number;
  /** Shell commands before the process, such as one that moves it into a cgroup. */
  readonly before?: string;
  /** What runs the process, such as `setpriv --regid 1337 --clear-groups`. */
  readonly runner?: string;
  /** Wait until listeners accept; true when left out. */
  readonly isReady?: boolean;
}

/** Starts it, and makes sure that it is gone at the end of the test. */
export async function startSidecar(t: Test, options: SidecarOptions): Promise<Sidecar> {
  const bootstrap = { admin: { address: socketAddress(0) }, ...options.bootstrap };
  const { sidecarVariables, flags = [] } = options;
  const engine = chosenEngine();
  const args = [programFile('proxy/main.ts'), ...engine.flags];
  if (sidecarVariables === undefined) args.push('--config-yaml', JSON.stringify(bootstrap), ...flags);
  else args.push('sidecar', '-c', fileOf(t, options.bootstrap), ...flags);
  // The shell becomes the process, so that signals reach it.
  const limit = options.descriptors === undefined ? '' : `ulimit -n ${options.descriptors}; `;
  const before = options.before === undefined ? '' : `${options.before}; `;
  const command = `${limit}${before}exec ${options.runner ?? ''} ${[...dyingWithParent(), ...engine.before].join(' ')} "$0" "$@"`;
  const child = spawn('/bin/sh', ['-c', command, process.execPath, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...sidecarVariables },
  });
  const sidecar = new RunningSidecar(child);
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await sidecar.ended;
  });
  if (options.isReady ?? true) await sidecar.becomeReady();
  return sidecar;
}

/** As of the table of the second engine, integration/second-engine.test.ts. */
function chosenEngine(): { readonly before: readonly string[]; readonly flags: readonly string[] } {
  if (process.env['OUTRIGGER_TEST_ENGINE'] === undefined) return { before: [], flags: [] };
  const libc = findNewerLibc();
  if ('missing' in libc) throw new Error(libc.missing);
  return { before: libc.before, flags: ['--engine', 'uws'] };
}

function fileOf(t: Test, document: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-bootstrap-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'bootstrap.json');
  writeFileSync(path, JSON.stringify(document));
  return path;
}

/** A test that is killed tears nothing down. Last before the process: a change of user would undo it (prctl(2)). */
export function dyingWithParent(): readonly string[] {
  const command = ['setpriv', '--pdeathsig', 'KILL'];
  prefix ??= spawnSync(command[0]!, [...command.slice(1), 'true']).status === 0 ? command : [];
  return prefix;
}

let prefix: readonly string[] | undefined;

class RunningSidecar implements Sidecar {
  readonly process: ChildProcess;
  readonly addresses = new Map<string, string>();
  readonly log: LogLine[] = [];
  readonly ended: Promise<number | null>;
  adminPort = 0;
  readonly #waiting: (PromiseWithResolvers<LogLine> & { readonly message: RegExp })[] = [];
  #end: Error | undefined;

  constructor(child: ChildProcess) {
    this.process = child;
    this.ended = once(child, 'close').then(([code]) => {
      this.#end = new Error(`ended with ${code}: ${this.log.map((line) => line.msg).join('\n')}`);
      for (const { reject } of this.#waiting) reject(this.#end);
      return code as number | null;
    });
    let rest = '';
    child.stderr!.on('data', (data: Buffer) => {
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#addLine(line);
    });
  }

  async becomeReady(): Promise<void> {
    const wanted = [/^admin interface is listening$/, /^configuration is served$/] as const;
    const [admin, line] = await Promise.all([this.logged(wanted[0]), this.logged(wanted[1])]);
    this.adminPort = portOf(admin['address'] as string);
    for (const listener of line['listeners'] as string[]) {
      const space = listener.indexOf(' ');
      this.addresses.set(listener.slice(0, space), listener.slice(space + 1));
    }
  }

  logged(message: RegExp): Promise<LogLine> {
    const past = this.log.find((line) => message.test(line.msg));
    if (past !== undefined) return Promise.resolve(past);
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const waiting = { message, ...Promise.withResolvers<LogLine>() };
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  port(listener: string): number {
    return portOf(this.addresses.get(listener)!);
  }

  async admin(path: string, method: 'GET' | 'POST' = 'GET'): Promise<string> {
    // A connection that is kept is closed after five seconds without a request, perhaps just when this one is sent.
    const headers = { connection: 'close' };
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`, { method, headers });
    return response.text();
  }

  #addLine(text: string): void {
    const line = text.startsWith('{') ? (JSON.parse(text) as LogLine) : { level: 'none', msg: text };
    this.log.push(line);
    for (const waiting of [...this.#waiting]) {
      if (!waiting.message.test(line.msg)) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve(line);
    }
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

export function socketAddress(port: number, address = '127.0.0.1'): object {
  return { socket_address: { address, port_value: port } };
}

const EXTENSIONS = 'type.googleapis.com/envoy.extensions';

/** Forwards everything to a cluster. */
export function httpFilterChain(cluster: string, manager: object = {}): object {
  return {
    filters: [
      {
        name: 'http',
        typed_config: {
          '@type': `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
          stat_prefix: 'ingress',
          route_config: {
            virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster } }] }],
          },
          http_filters: [{ name: 'router', typed_config: { '@type': `${EXTENSIONS}.filters.http.router.v3.Router` } }],
          ...manager,
        },
      },
    ],
  };
}

export function tcpFilterChain(cluster: string, proxy: object = {}): object {
  return {
    filters: [
      {
        name: 'tcp',
        typed_config: {
          '@type': `${EXTENSIONS}.filters.network.tcp_proxy.v3.TcpProxy`,
          stat_prefix: 'tcp',
          cluster,
          ...proxy,
        },
      },
    ],
  };
}

export function fileAccessLog(path: string, format: string): object {
  return {
    name: 'file',
    typed_config: {
      '@type': `${EXTENSIONS}.access_loggers.file.v3.FileAccessLog`,
      path,
      log_format: { text_format_source: { inline_string: format } },
    },
  };
}

/** A cluster of one endpoint. */
export function clusterAt(name: string, port: number, cluster: object = {}, address = '127.0.0.1'): object {
  return {
    name,
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port, address) } }] }],
    },
    ...cluster,
  };
}
