// The arguments of `outrigger sidecar`, which are those that Istio's injector gives to its own agent
// (`pilot-agent proxy sidecar …`), as the arguments that a proxy takes with the bootstrap that was made.

import { existsSync } from 'node:fs';
import { ConfigError } from '../../config/problems.ts';
import type { SidecarEnvironment } from './environment.ts';

export interface SidecarArguments {
  /** `default.svc.cluster.local`. */
  readonly dnsDomain: string | undefined;
  /** What the proxy is told besides its bootstrap. */
  readonly flags: readonly string[];
}

/** Flags of the agent by what becomes of them. */
const renamed: ReadonlyMap<string, string> = new Map([
  ['--proxyLogLevel', '--log-level'],
  ['--proxyComponentLogLevel', '--component-log-level'],
  ['--concurrency', '--concurrency'],
]);

/** They speak of the agent's own log, and of services that it offers to others. */
const without = new Set([
  ...['--log_output_level', '--log_target', '--log_caller', '--log_stacktrace_level'],
  ...['--serviceCluster', '--stsPort', '--tokenManagerPlugin', '--outlierLogPath', '--templateFile'],
]);
/** The same, of kinds that are on by being there; lines of our log are JSON anyway. */
const withoutValue = new Set(['--log_as_json']);

/** Throws `ConfigError` for what is not understood. Flags of a proxy, such as `--capture`, pass as they are. */
export function readSidecarArguments(args: readonly string[]): SidecarArguments {
  const flags: string[] = [];
  let dnsDomain: string | undefined;
  const rest = args[0] === 'sidecar' ? args.slice(1) : args;
  if (rest[0] !== undefined && !rest[0].startsWith('-')) {
    fail(rest[0], 'is a kind of proxy that is not supported: only sidecar is');
  }
  for (let index = 0; index < rest.length; index++) {
    const [name, given] = splitFlag(rest[index]!);
    const value = () => given ?? rest[++index] ?? fail(name, 'needs a value');
    const proxyFlag = renamed.get(name);
    if (name === '--domain') dnsDomain = value();
    else if (proxyFlag !== undefined) flags.push(proxyFlag, firstLevel(proxyFlag, value()));
    else if (without.has(name)) value();
    else if (withoutValue.has(name)) continue;
    else flags.push(rest[index]!);
  }
  return { dnsDomain, flags };
}

/** What the mesh says about threads and draining, unless an argument says it. */
export function flagsOfMesh(environment: SidecarEnvironment, given: readonly string[]): readonly string[] {
  const { concurrency } = environment.proxyConfig;
  const drainSeconds = String(Math.max(1, Math.ceil(environment.termination.acceptsForMs / 1000)));
  const flags: string[] = [];
  if (concurrency !== undefined && !isGiven('--concurrency', given)) flags.push('--concurrency', String(concurrency));
  if (!isGiven('--drain-time-s', given)) flags.push('--drain-time-s', drainSeconds);
  // As Istio's agent starts Envoy: of a gradual drain little would have happened when the process ends.
  if (!isGiven('--drain-strategy', given)) flags.push('--drain-strategy', 'immediate');
  return flags;
}

/** The volume that an injector mounts is where accepted configuration is kept, unless somebody says where. */
export function flagsOfContainer(
  given: readonly string[],
  variables: Readonly<Record<string, string | undefined>>,
  isThere: (path: string) => boolean = existsSync,
): readonly string[] {
  const isSaid = (variables['XDG_CACHE_HOME'] ?? '') !== '' || isGiven('--config-cache-dir', given);
  return isSaid || !isThere(dataFolder) ? [] : ['--config-cache-dir', `${dataFolder}/outrigger`];
}

const dataFolder = '/var/lib/istio/data';

function isGiven(name: string, given: readonly string[]): boolean {
  return given.some((flag) => splitFlag(flag)[0] === name);
}

function splitFlag(flag: string): readonly [name: string, value: string | undefined] {
  const equals = flag.indexOf('=');
  return equals < 0 || !flag.startsWith('--') ? [flag, undefined] : [flag.slice(0, equals), flag.slice(equals + 1)];
}

/** The agent's form may name a level for each of its own parts: `warning,misc:error`. */
function firstLevel(flag: string, value: string): string {
  return flag === '--log-level' ? value.split(',')[0]! : value;
}

function fail(path: string, message: string): never {
  throw new ConfigError('the arguments of the sidecar', [{ path, message }]);
}
