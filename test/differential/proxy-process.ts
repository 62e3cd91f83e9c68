// One of the two proxies, as a real process in a folder of its own. Paths in the bootstrap are relative, so that both run
// the same file: the admin interface is `admin.sock`, the access log `access.log`.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';

export type ProxyName = 'envoy' | 'outrigger';

export interface ProxyOptions {
  readonly name: ProxyName;
  readonly command: readonly string[];
  /** A line of standard error that tells that traffic and admin calls are taken. */
  readonly isReady: readonly RegExp[];
  readonly directory: string;
  readonly bootstrap: object;
  /** Takes every process as soon as it runs, so that it can be ended even when it never gets ready. */
  readonly started: ProxyProcess[];
}

/** By name; histograms are not among them. */
export type Stats = ReadonlyMap<string, number>;

const flags = [
  '--concurrency',
  '1',
  '--disable-hot-restart',
  '--log-level',
  'info',
  '--file-flush-interval-msec',
  '50',
  '-c',
  'bootstrap.json',
];

export class ProxyProcess {
  readonly name: ProxyName;
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #errors: string[] = [];
  ports: ReadonlyMap<string, number> = new Map();

  private constructor(options: ProxyOptions) {
    this.name = options.name;
    this.#directory = options.directory;
    mkdirSync(options.directory, { recursive: true });
    writeFileSync(join(options.directory, 'bootstrap.json'), JSON.stringify(options.bootstrap, null, 1));
    const [path, ...args] = [...options.command, ...flags];
    this.#child = spawn(path!, args, { cwd: options.directory, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  static async start(options: ProxyOptions): Promise<ProxyProcess> {
    const proxy = new ProxyProcess(options);
    options.started.push(proxy);
    await proxy.#waitUntilReady(options.isReady);
    proxy.ports = await proxy.#listenerPorts();
    return proxy;
  }

  port(listener: string): number {
    const port = this.ports.get(listener);
    if (port === undefined) throw new Error(`${this.name} has no listener ${listener}`);
    return port;
  }

  /** Counters and gauges whose name `filter` (RE2) matches. */
  async stats(filter: string): Promise<Stats> {
    const text = await this.admin('GET', `/stats?usedonly&filter=${encodeURIComponent(filter)}`);
    const stats = new Map<string, number>();
    for (const [, name, value] of text.matchAll(/^(\S+): (\d+)$/gm)) stats.set(name!, Number(value));
    return stats;
  }

  admin(method: 'GET' | 'POST', path: string): Promise<string> {
    // Seen from here, as the proxy sees it from its folder: a socket's path has 107 bytes at most, wherever the repository is.
    const socketPath = relative('', join(this.#directory, 'admin.sock'));
    return new Promise((resolve, reject) => {
      const call = request({ socketPath, method, path }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text += part));
        response.on('end', () => resolve(text));
      });
      call.on('error', reject);
      call.end();
    });
  }

  /** Ends the process; the access log is complete then. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) throw new Error(`${this.name} died: ${this.#lastErrors()}`);
    const ended = once(this.#child, 'exit');
    await this.admin('POST', '/quitquitquit');
    await ended;
  }

  /** Ends the process whatever state it is in. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Empty until something was logged. */
  accessLog(): readonly string[] {
    const file = join(this.#directory, 'access.log');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  }

  #lastErrors(): string {
    return this.#errors.slice(-5).join('\n');
  }

  #waitUntilReady(awaited: readonly RegExp[]): Promise<void> {
    const missing = new Set(awaited);
    return new Promise((resolve, reject) => {
      this.#child.once('exit', (code) => {
        reject(new Error(`${this.name} ended with ${code}: ${this.#lastErrors()}`));
      });
      createInterface({ input: this.#child.stderr! }).on('line', (line) => {
        this.#errors.push(line);
        for (const pattern of missing) if (pattern.test(line)) missing.delete(pattern);
        if (missing.size === 0) resolve();
      });
    });
  }

  async #listenerPorts(): Promise<ReadonlyMap<string, number>> {
    const text = await this.admin('GET', '/listeners');
    const lines = text.matchAll(/^(\S+)::127\.0\.0\.1:(\d+)$/gm);
    return new Map([...lines].map(([, name, port]) => [name!, Number(port)]));
  }
}
