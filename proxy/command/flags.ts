// Envoy's command line, as pilot-agent and test harnesses pass it.
// https://www.envoyproxy.io/docs/envoy/latest/operations/cli

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { EngineName } from '../../config/listener.ts';
import { nearestName } from '../../xds/message/nearest-name.ts';
import type { HotRestartSettings } from '../hot-restart/settings.ts';
import { logComponents, logLevels } from '../telemetry/process-log.ts';
import { meantByWord, nearestOption } from './option-names.ts';

export interface Flags {
  readonly mode: 'serve' | 'validate' | 'version' | 'hot-restart-version' | 'help';
  readonly configPath?: string;
  readonly configYaml?: string;
  readonly logLevel: string;
  readonly componentLogLevel: string;
  /** 0 takes the cgroup's CPU quota. */
  readonly concurrency: number;
  readonly serviceNode?: string;
  readonly serviceCluster?: string;
  readonly serviceZone?: string;
  readonly drainTimeMs: number;
  /** How long a process that was replaced may go on with what it has. */
  readonly parentShutdownTimeMs: number;
  readonly drainStrategy: 'gradual' | 'immediate';
  /** What is loaded to serve plain HTTP: our own reactor alone, or uWebSockets.js and undici too. */
  readonly engine: EngineName;
  /** Of listeners that do not say. */
  readonly defaultEngine: EngineName;
  readonly logFlushIntervalMs: number;
  readonly logFlushSizeBytes: number;
  readonly allowUnknownStaticFields: boolean;
  /** Series exported of clusters, routes and keys of requests; beyond it they are `other`. */
  readonly maxStatSeries: number;
  /** Requests are counted by service and route also where nothing is traced. */
  readonly requestMetrics: boolean;
  readonly restartEpoch: number;
  /** Null opens no socket for a successor. */
  readonly hotRestart: HotRestartSettings | null;
  /** False keeps no accepted configuration for the next start. */
  readonly keepsConfigCache: boolean;
  readonly configCacheDirectory?: string;
  /** Without one, Envoy's percentages decide what is sampled. */
  readonly samplingConfigPath?: string;
  /** How connections of the application come here; `none` leaves that to others. */
  readonly capture: CaptureChoice;
  readonly captureSettingsPath?: string;
}

export type CaptureChoice = { readonly kind: 'none' } | AskedCapture;

export type AskedCapture =
  | { readonly kind: 'auto' | 'ebpf' | 'iptables' }
  /** A node agent listens at this path. */
  | { readonly kind: 'agent'; readonly socketPath: string };

interface FlagRule {
  readonly names: readonly string[];
  readonly takesValue: boolean;
  /** Accepted because harnesses pass it; what it would change does not exist here. */
  readonly withoutEffect?: string;
  readonly help: string;
}

/** Not Envoy's name: both may run on a machine. */
const defaultSocketPath = '@outrigger_domain_socket';

const rules: readonly FlagRule[] = [
  { names: ['-c', '--config-path'], takesValue: true, help: 'bootstrap file, YAML or JSON' },
  { names: ['--config-yaml'], takesValue: true, help: 'bootstrap text merged over the file' },
  { names: ['-l', '--log-level'], takesValue: true, help: 'trace debug info warning error critical off' },
  { names: ['--component-log-level'], takesValue: true, help: 'component:level,…' },
  { names: ['--log-format'], takesValue: true, withoutEffect: 'log lines are JSON', help: 'accepted' },
  { names: ['--log-format-escaped'], takesValue: false, withoutEffect: 'log lines are JSON', help: 'accepted' },
  { names: ['--log-stacktrace-single-entry'], takesValue: false, withoutEffect: 'it is always one', help: 'accepted' },
  { names: ['--concurrency'], takesValue: true, help: 'worker threads; default: the CPU quota, rounded up' },
  { names: ['--service-node'], takesValue: true, help: 'node id' },
  { names: ['--service-cluster'], takesValue: true, help: 'node cluster' },
  { names: ['--service-zone'], takesValue: true, help: 'node zone' },
  { names: ['--drain-time-s'], takesValue: true, help: 'longest wait for requests in flight at SIGTERM; default 600' },
  { names: ['--drain-strategy'], takesValue: true, help: 'gradual or immediate' },
  {
    names: ['--parent-shutdown-time-s'],
    takesValue: true,
    help: 'how long a process that was replaced may go on with connections it has; default 900',
  },
  { names: ['--disable-hot-restart'], takesValue: false, help: 'no socket for a successor, whatever else is said' },
  { names: ['--restart-epoch'], takesValue: true, help: '0, and one more with each hot restart' },
  { names: ['--base-id'], takesValue: true, help: 'tells the proxies of one machine apart; default 0' },
  { names: ['--use-dynamic-base-id'], takesValue: false, help: 'a base id that is not used; with restart epoch 0' },
  { names: ['--base-id-path'], takesValue: true, help: 'file that the base id is written to' },
  {
    names: ['--socket-path'],
    takesValue: true,
    help: `socket for hot restarts, to which base id and epoch are added; default ${defaultSocketPath}`,
  },
  { names: ['--socket-mode'], takesValue: true, help: 'of its file, octal; default 600' },
  {
    names: ['--skip-hot-restart-on-no-parent'],
    takesValue: false,
    help: 'starts also when there is no parent; otherwise that is an error',
  },
  {
    names: ['--skip-hot-restart-parent-stats'],
    takesValue: false,
    help: 'counters begin at 0 after a hot restart',
  },
  { names: ['--hot-restart-version'], takesValue: false, help: 'prints what a successor must have, too' },
  {
    names: ['--local-address-ip-version'],
    takesValue: true,
    withoutEffect: 'both families are served',
    help: 'accepted',
  },
  { names: ['--file-flush-interval-msec'], takesValue: true, help: 'access logs are written this often; default 1000' },
  { names: ['--file-flush-min-size-kb'], takesValue: true, help: '… or when this much waits; default 64' },
  {
    names: ['--max-stat-series'],
    takesValue: true,
    help: 'series exported of clusters, routes and requests before they are counted as other; default 2000',
  },
  {
    names: ['--engine'],
    takesValue: true,
    help: 'reactor (default); uws: uWebSockets.js and undici carry plain HTTP; listener: where a listener asks for them (docs/engines.md)',
  },
  {
    names: ['--request-metrics'],
    takesValue: false,
    help: 'counts requests by service, route and outcome also where nothing is traced',
  },
  { names: ['--skip-deprecated-logs'], takesValue: false, withoutEffect: 'there are none', help: 'accepted' },
  { names: ['--enable-core-dump'], takesValue: false, withoutEffect: 'left to the system', help: 'accepted' },
  { names: ['--allow-unknown-static-fields'], takesValue: false, help: 'unknown fields are warnings' },
  {
    names: ['--reject-unknown-dynamic-fields'],
    takesValue: false,
    help: 'refused: fields of a control plane that are not known are passed over',
  },
  {
    names: ['--ignore-unknown-dynamic-fields'],
    takesValue: false,
    withoutEffect: 'fields that are not known are passed over',
    help: 'accepted',
  },
  { names: ['--cpuset-threads'], takesValue: false, withoutEffect: 'CPU limits are always heeded', help: 'accepted' },
  {
    names: ['--config-cache-dir'],
    takesValue: true,
    help: 'where accepted configuration is kept for the next start; $XDG_CACHE_HOME/outrigger or /var/cache/outrigger',
  },
  {
    names: ['--no-config-cache'],
    takesValue: false,
    help: 'keeps no configuration; a start waits for the control plane',
  },
  {
    names: ['--sampling-config'],
    takesValue: true,
    help: 'file of sampling settings, YAML or JSON, followed while it changes; without one percentages decide',
  },
  {
    names: ['--capture'],
    takesValue: true,
    help: 'none, auto, ebpf, iptables or agent:SOCKET: who redirects connections of the application here; default none',
  },
  {
    names: ['--capture-settings'],
    takesValue: true,
    help: "file of what is captured, YAML or JSON; without one as Istio's sidecars do",
  },
  { names: ['--mode'], takesValue: true, help: 'serve or validate' },
  { names: ['--version'], takesValue: false, help: 'prints the version' },
  { names: ['-h', '--help'], takesValue: false, help: 'prints this' },
];

/** A command line that cannot be used; the message says what would be right. */
export class FlagError extends Error {}

/** Reads the arguments behind the command's name. Throws FlagError. */
export function parseFlags(args: readonly string[]): Flags {
  const values = collect(args);
  const get = (name: string): string | undefined => values.get(name);
  const number = (name: string, fallback: number): number => numberOf(name, get(name), fallback);
  const mode = get('--mode') ?? 'serve';
  if (mode !== 'serve' && mode !== 'validate') throw new FlagError(`--mode ${mode}: serve and validate are supported`);
  if (values.has('--reject-unknown-dynamic-fields')) {
    throw new FlagError('--reject-unknown-dynamic-fields is not supported: fields that are not known are passed over');
  }
  const strategy = get('--drain-strategy') ?? 'gradual';
  if (strategy !== 'gradual' && strategy !== 'immediate')
    throw new FlagError(`--drain-strategy ${strategy}: gradual or immediate`);
  const flags: Flags = {
    mode: informationOf(values) ?? mode,
    logLevel: logLevelOf(get('--log-level') ?? 'info'),
    componentLogLevel: componentLevelsOf(get('--component-log-level') ?? ''),
    concurrency: number('--concurrency', 0),
    drainTimeMs: number('--drain-time-s', 600) * 1000,
    parentShutdownTimeMs: number('--parent-shutdown-time-s', 900) * 1000,
    drainStrategy: strategy,
    ...enginesOf(get('--engine') ?? 'reactor'),
    logFlushIntervalMs: number('--file-flush-interval-msec', 1000),
    logFlushSizeBytes: number('--file-flush-min-size-kb', 64) * 1024,
    allowUnknownStaticFields: values.has('--allow-unknown-static-fields'),
    maxStatSeries: number('--max-stat-series', 2000),
    requestMetrics: values.has('--request-metrics'),
    restartEpoch: number('--restart-epoch', 0),
    hotRestart: hotRestartOf(values),
    keepsConfigCache: !values.has('--no-config-cache'),
    ...optional('configPath', get('--config-path')),
    ...optional('configYaml', get('--config-yaml')),
    ...optional('configCacheDirectory', get('--config-cache-dir')),
    capture: captureOf(get('--capture') ?? 'none', values.has('--capture-settings')),
    ...optional('captureSettingsPath', get('--capture-settings')),
    ...optional('samplingConfigPath', get('--sampling-config')),
    ...optional('serviceNode', get('--service-node')),
    ...optional('serviceCluster', get('--service-cluster')),
    ...optional('serviceZone', get('--service-zone')),
  };
  const needsConfig = flags.mode === 'serve' || flags.mode === 'validate';
  if (needsConfig && flags.configPath === undefined && flags.configYaml === undefined) {
    throw new FlagError('a bootstrap is needed: -c FILE or --config-yaml TEXT');
  }
  return flags;
}

/** What is printed in place of serving. */
function informationOf(values: ReadonlyMap<string, string>): Flags['mode'] | undefined {
  if (values.has('--help')) return 'help';
  if (values.has('--version')) return 'version';
  return values.has('--hot-restart-version') ? 'hot-restart-version' : undefined;
}

/** Envoy opens its socket always; many sidecars on a machine must not collide for a name that nobody asked for. */
const hotRestartFlags = [
  '--restart-epoch',
  '--base-id',
  '--use-dynamic-base-id',
  '--base-id-path',
  '--socket-path',
  '--socket-mode',
];

function hotRestartOf(values: ReadonlyMap<string, string>): HotRestartSettings | null {
  if (values.has('--disable-hot-restart') || !hotRestartFlags.some((name) => values.has(name))) return null;
  const epoch = numberOf('--restart-epoch', values.get('--restart-epoch'), 0);
  const isDynamic = values.has('--use-dynamic-base-id');
  if (isDynamic && epoch > 0) throw new FlagError(`--use-dynamic-base-id: only with --restart-epoch 0, not ${epoch}`);
  const mode = values.get('--socket-mode') ?? '600';
  if (!/^[0-7]{1,4}$/.test(mode)) throw new FlagError(`--socket-mode ${mode}: an octal mode such as 600 is needed`);
  const socketPath = values.get('--socket-path') ?? defaultSocketPath;
  if (!/^[@/]./.test(socketPath)) throw new FlagError(`--socket-path ${socketPath}: an absolute path or @name`);
  return {
    epoch,
    baseId: isDynamic ? 'dynamic' : numberOf('--base-id', values.get('--base-id'), 0),
    ...optional('baseIdPath', values.get('--base-id-path')),
    socketPath,
    socketMode: Number.parseInt(mode, 8),
    startsWithoutParent: values.has('--skip-hot-restart-on-no-parent'),
    carriesStatistics: !values.has('--skip-hot-restart-parent-stats'),
  };
}

function optional<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, string>);
}

// By the rule's last name, whatever spelling was used: `-c x`, `--config-path x`, `--config-path=x`.
function collect(args: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    const equals = arg.startsWith('--') ? arg.indexOf('=') : -1;
    const name = equals < 0 ? arg : arg.slice(0, equals);
    const rule = rules.find((each) => each.names.includes(name));
    if (rule === undefined)
      throw new FlagError(`unknown argument ${arg}: ${meantBy(name)}outrigger --help lists what there is`);
    const key = rule.names[rule.names.length - 1]!;
    if (!rule.takesValue) {
      if (equals >= 0) throw new FlagError(`${name} takes no value`);
      values.set(key, '');
      continue;
    }
    const value = equals >= 0 ? arg.slice(equals + 1) : args[++index];
    if (value === undefined) throw new FlagError(`${name} needs a value`);
    values.set(key, value);
  }
  return values;
}

function meantBy(name: string): string {
  const near = name.startsWith('-')
    ? nearestOption(
        name,
        rules.flatMap(({ names }) => names),
      )
    : meantByWord(name);
  return near === undefined ? '' : `did you mean ${near}? `;
}

/** With Envoy's other name of `warning`. */
function logLevelOf(level: string, place = '--log-level '): string {
  const name = level === 'warn' ? 'warning' : level;
  if (!(logLevels as readonly string[]).includes(name)) {
    throw new FlagError(`${place}${level}: there are ${logLevels.join(', ')}`);
  }
  return name;
}

/** Looked at here, so that a rehearsal (`--mode validate`) hears of it, too. */
function componentLevelsOf(text: string): string {
  const flag = '--component-log-level';
  const items = text.split(',').filter((item) => item !== '');
  const levels = items.map((item) => {
    const [component = '', level, ...more] = item.split(':');
    if (level === undefined || more.length > 0) {
      throw new FlagError(`${flag} ${item}: a component and its level are needed, such as upstream:debug`);
    }
    if (!(logComponents as readonly string[]).includes(component)) {
      throw new FlagError(`${flag} ${item}: ${unknownComponent(component)}`);
    }
    return `${component}:${logLevelOf(level, `${flag} ${component}:`)}`;
  });
  return levels.join(',');
}

function unknownComponent(name: string): string {
  const near = nearestName(name, logComponents);
  if (near !== undefined) return `there is no component ${name}; did you mean ${near}?`;
  return `there is no component ${name}; there are ${logComponents.join(', ')}`;
}

function enginesOf(text: string): Pick<Flags, 'engine' | 'defaultEngine'> {
  switch (text) {
    case 'reactor':
    case 'uws':
      return { engine: text, defaultEngine: text };
    case 'listener':
      return { engine: 'uws', defaultEngine: 'reactor' };
    default:
      throw new FlagError(`--engine ${text}: reactor, uws or listener`);
  }
}

function captureOf(text: string, hasSettings: boolean): CaptureChoice {
  if (text === 'none' && hasSettings) throw new FlagError('--capture-settings says what --capture does: it is missing');
  if (text === 'none' || text === 'auto' || text === 'ebpf' || text === 'iptables') return { kind: text };
  const socketPath = text.startsWith('agent:') ? text.slice('agent:'.length) : '';
  if (socketPath.startsWith('/')) return { kind: 'agent', socketPath };
  throw new FlagError(`--capture ${text}: none, auto, ebpf, iptables or agent:/path/of/its/socket`);
}

function numberOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d{1,9}$/.test(text)) throw new FlagError(`${name} ${text}: a whole number from 0 on is needed`);
  return Number(text);
}

/** Worker threads: the cgroup's quota rounded up, never more than the processors there are (user-pains 4.14). */
export function defaultConcurrency(readFile: (path: string) => string = (path) => readFileSync(path, 'utf8')): number {
  const processors = availableParallelism();
  let text: string;
  try {
    text = readFile('/sys/fs/cgroup/cpu.max');
  } catch (error) {
    // No cgroup v2 here, so no quota: the processors are what there is.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return processors;
    throw error;
  }
  const [quota, period] = text.trim().split(' ');
  if (quota === undefined || quota === 'max') return processors;
  return Math.max(1, Math.min(processors, Math.ceil(Number(quota) / Number(period))));
}

export function helpText(): string {
  const lines = rules.map(
    (rule) =>
      `  ${rule.names.join(', ')}${rule.takesValue ? ' VALUE' : ''}\n      ${rule.help}${rule.withoutEffect === undefined ? '' : ` (no effect: ${rule.withoutEffect})`}`,
  );
  const others = [
    'outrigger sidecar runs in the place of an agent of Istio, and outrigger wait returns when it is ready.',
    'outrigger bpf, iptables, control-plane and audit are programs of their own. Each of all these has its --help.',
  ].join('\n');
  return `outrigger -c bootstrap.yaml [options]\n\n${lines.join('\n')}\n\n${others}\n`;
}
