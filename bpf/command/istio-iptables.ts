// The arguments of `pilot-agent istio-iptables`, as Istio's injector writes them for an init container, as the command that
// puts rules in place. Nobody can leave out what an injector writes: what says only how that program works is passed over.
// https://github.com/istio/istio/blob/master/manifests/charts/istio-control/istio-discovery/files/injection-template.yaml

import { type IptablesCommand, IptablesUsageError } from './iptables-arguments.ts';

export interface IstioIptables extends IptablesCommand {
  /** `--skip-rule-apply`: rules are somebody else's, who has put them in place or will. */
  readonly skipsRules: boolean;
  /** `--run-validation`, with the port that is asked for and how long. */
  readonly validation: { readonly probePort: number; readonly timeoutMs: number } | undefined;
}

/** What is redirected is checked where the flags are read. Throws IptablesUsageError. */
export function readIstioIptables(args: readonly string[]): IstioIptables {
  const istioFlags: string[] = [];
  const said = new Map<string, string>();
  let isNft = false;
  for (let index = 0; index < args.length; index++) {
    const word = args[index]!;
    const name = word.split('=', 1)[0]!;
    if (name === '--run-validation' || name === '--skip-rule-apply')
      said.set(name, word.slice(name.length + 1) || 'true');
    else if (name === '--iptables-probe-port' || name === '--probe-timeout') {
      said.set(name, word.includes('=') ? word.slice(name.length + 1) : (args[++index] ?? ''));
    } else if (name === '--native-nftables') isNft ||= !word.endsWith('=false');
    else if (ofItsLog.has(name)) index += word.includes('=') ? 0 : 1;
    else if (!withoutMeaning.has(name)) istioFlags.push(word);
  }
  return {
    skipsRules: said.get('--skip-rule-apply') === 'true',
    validation: said.get('--run-validation') === 'true' ? validationOf(said) : undefined,
    name: 'apply',
    isJson: false,
    isDryRun: false,
    backend: isNft ? 'nft' : undefined,
    settings: undefined,
    annotations: undefined,
    istioFlags,
  };
}

function validationOf(said: ReadonlyMap<string, string>): IstioIptables['validation'] {
  const probePort = Number(said.get('--iptables-probe-port') ?? 15_002);
  const [, amount, unit] = /^(\d+)(ms|s|m)$/.exec(said.get('--probe-timeout') ?? '5s') ?? [];
  if (!Number.isInteger(probePort) || probePort < 1 || probePort > 65_535 || amount === undefined) {
    throw new IptablesUsageError('--iptables-probe-port is a port, and --probe-timeout a duration such as 5s');
  }
  return { probePort, timeoutMs: Number(amount) * unitMs[unit as keyof typeof unitMs] };
}

const unitMs = { ms: 1, s: 1000, m: 60_000 } as const;

/** Each with a value. */
const ofItsLog: ReadonlySet<string> = new Set([
  ...['--log_output_level', '--log_target', '--log_caller', '--log_stacktrace_level', '--vklog'],
]);
/** Rules that are there are replaced always. */
const withoutMeaning: ReadonlySet<string> = new Set(['--log_as_json', '--force-apply']);
