// The process's own log: lines of JSON on standard error through pino, with Envoy's level names and one level for each
// component, changed at run time by `POST /logging`.
//
// pino takes 14 ms to load from the bundle, a tenth of our time to start, so it is loaded some time behind the first line,
// which tells that requests are served; lines wait for it, and are written without it when the process ends before.

import { writeSync } from 'node:fs';
import type { Logger } from 'pino';

/** Envoy's names, least severe first. */
export const logLevels = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * Envoy's loggers. Command lines name them (Istio's agent passes `misc:error`), so all are known; those of features that
 * are not here stay silent.
 */
export const logComponents = [
  'a2a',
  'admin',
  'ai_protocol_manager',
  'alternate_protocols_cache',
  'assert',
  'aws',
  'backtrace',
  'basic_auth',
  'cache_filter',
  'client',
  'compression',
  'config',
  'conn_handler',
  'connection',
  'credential_injector',
  'decompression',
  'dns',
  'dubbo',
  'dynamic_modules',
  'envoy_bug',
  'ext_authz',
  'ext_proc',
  'file',
  'filter',
  'forward_proxy',
  'geolocation',
  'golang',
  'grpc',
  'happy_eyeballs',
  'hc',
  'health_checker',
  'http',
  'http2',
  'hystrix',
  'init',
  'io',
  'ip_tagging',
  'json_rpc',
  'jwt',
  'kafka',
  'key_value_store',
  'local_rate_limit',
  'lua',
  'main',
  'matcher',
  'mcp',
  'misc',
  'mongo',
  'multi_connection',
  'notification',
  'oauth2',
  'pool',
  'quic',
  'quic_stream',
  'rate_limit_quota',
  'rbac',
  'rds',
  'redis',
  'rocketmq',
  'router',
  'runtime',
  'secret',
  'sse',
  'stats',
  'stats_sinks',
  'tap',
  'testing',
  'thrift',
  'tracing',
  'udp',
  'upstream',
  'wasm',
  'websocket',
] as const;
export type LogComponent = (typeof logComponents)[number];

/** Writes a line: a sentence, or fields and a sentence. */
export interface WriteLine {
  (message: string): void;
  (fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface ComponentLog {
  readonly trace: WriteLine;
  readonly debug: WriteLine;
  readonly info: WriteLine;
  readonly warn: WriteLine;
  readonly error: WriteLine;
  readonly critical: WriteLine;
  /** Whether a line of this level would be written: for lines that cost something to make. */
  isEnabled(level: LogLevel): boolean;
}

export interface ProcessLogOptions {
  /** `--log-level`. */
  readonly level: string;
  /** `--component-log-level`: `upstream:debug,dns:trace`. */
  readonly componentLevels: string;
  /** Where lines go; default standard error. */
  readonly descriptor?: number;
}

/** @throws Error naming the level or component that does not exist. */
export function createProcessLog(options: ProcessLogOptions): ProcessLog {
  const log = new ProcessLog(options.descriptor ?? standardError);
  const problems = [log.setLevel(options.level)];
  for (const item of options.componentLevels.split(',')) {
    if (item === '') continue;
    const [component, level] = item.split(':');
    problems.push(log.setComponentLevel(component ?? '', level ?? ''));
  }
  const problem = problems.find((each) => each !== null);
  if (problem !== undefined) throw new Error(problem);
  return log;
}

export class ProcessLog {
  readonly #output: PinoOutput;
  readonly #components = new Map<string, LeveledLog>();

  constructor(descriptor: number) {
    this.#output = new PinoOutput(descriptor);
    for (const name of logComponents) this.#components.set(name, new LeveledLog(name, this.#output));
  }

  component(name: LogComponent): ComponentLog {
    return this.#components.get(name)!;
  }

  /** Sets the level of every component. Returns what is wrong with the name, or null. */
  setLevel(level: string): string | null {
    if (!isLevel(level)) return unknownLevel(level);
    for (const component of this.#components.values()) component.level = level;
    return null;
  }

  /** Sets the level of one component. Returns what is wrong with either name, or null. */
  setComponentLevel(name: string, level: string): string | null {
    const component = this.#components.get(name);
    if (component === undefined) return `unknown logger ${name}: there are ${logComponents.join(', ')}`;
    if (!isLevel(level)) return unknownLevel(level);
    component.level = level;
    return null;
  }

  /** Components and their levels, by name. */
  levels(): ReadonlyMap<string, LogLevel> {
    return new Map([...this.#components].map(([name, { level }]) => [name, level]));
  }

  /** Resolves when no line waits any more. */
  async flush(): Promise<void> {
    await this.#output.flush();
  }
}

function isLevel(name: string): name is LogLevel {
  return (logLevels as readonly string[]).includes(name);
}

function unknownLevel(name: string): string {
  return `unknown log level ${JSON.stringify(name)}: there are ${logLevels.join(', ')}`;
}

const standardError = 2;
const loadDelayMs = 50;

type Severity = Exclude<LogLevel, 'off'>;
type Fields = Readonly<Record<string, unknown>>;

class LeveledLog implements ComponentLog {
  level: LogLevel = 'info';
  readonly #name: string;
  readonly #output: PinoOutput;
  readonly trace = this.#writer('trace');
  readonly debug = this.#writer('debug');
  readonly info = this.#writer('info');
  readonly warn = this.#writer('warning');
  readonly error = this.#writer('error');
  readonly critical = this.#writer('critical');

  constructor(name: string, output: PinoOutput) {
    this.#name = name;
    this.#output = output;
  }

  isEnabled(level: LogLevel): boolean {
    return level !== 'off' && logLevels.indexOf(level) >= logLevels.indexOf(this.level);
  }

  #writer(severity: Severity): WriteLine {
    return (first: string | Fields, second?: string) => {
      if (!this.isEnabled(severity)) return;
      const fields = { time: new Date().toISOString(), component: this.#name };
      if (typeof first === 'string') this.#output.write(severity, fields, first);
      else this.#output.write(severity, { ...fields, ...first }, second ?? '');
    };
  }
}

/** Lines wait here until pino is loaded; then they go straight through. */
class PinoOutput {
  readonly #descriptor: number;
  #waiting: { readonly severity: Severity; readonly fields: Fields; readonly message: string }[] = [];
  #logger: Logger<Severity, true> | null = null;
  #loading: Promise<void> | null = null;
  #isDue = false;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async flush(): Promise<void> {
    if (this.#waiting.length > 0) await this.#loadOnce();
  }

  write(severity: Severity, fields: Fields, message: string): void {
    if (this.#logger !== null) {
      this.#logger[severity](fields, message);
      return;
    }
    this.#waiting.push({ severity, fields, message });
    if (this.#isDue) return;
    this.#isDue = true;
    process.once('exit', this.#writeWaiting);
    // A process that has nothing else to do ends.
    setTimeout(() => this.#loadOnce(), loadDelayMs).unref();
  }

  #loadOnce(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<void> {
    const { pino } = await import('pino');
    const logger = pino<Severity, true>(
      {
        level: 'trace',
        customLevels: { trace: 10, debug: 20, info: 30, warning: 40, error: 50, critical: 60 },
        useOnlyCustomLevels: true,
        base: null,
        timestamp: false,
        formatters: { level: (label) => ({ level: label }) },
      },
      // Synchronous, so that the last line before an exit is not lost. This thread serves no request.
      pino.destination({ fd: this.#descriptor, sync: true }),
    );
    this.#logger = logger;
    for (const { severity, fields, message } of this.#waiting) logger[severity](fields, message);
    this.#waiting = [];
    process.off('exit', this.#writeWaiting);
  }

  // The same shape as pino's.
  readonly #writeWaiting = (): void => {
    for (const { severity, fields, message } of this.#waiting) {
      writeSync(this.#descriptor, `${JSON.stringify({ level: severity, ...fields, msg: message })}\n`);
    }
  };
}
