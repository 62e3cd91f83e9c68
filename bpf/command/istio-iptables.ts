// The arguments of `pilot-agent istio-iptables`, as Istio's injector writes them for an init container, as the command that
// puts rules in place. Nobody can leave out what an injector writes: what says only how that program works is passed over.
// https://github.com/istio/istio/blob/master/manifests/charts/istio-control/istio-discovery/files/injection-template.yaml

import type { IptablesCommand } from './iptables-arguments.ts';

/** What is redirected is checked where the flags are read. */
export function readIstioIptables(args: readonly string[]): IptablesCommand {
  const istioFlags: string[] = [];
  let isNft = false;
  for (let index = 0; index < args.length; index++) {
    const word = args[index]!;
    const name = word.split('=', 1)[0]!;
    if (name === '--native-nftables') isNft ||= !word.endsWith('=false');
    else if (ofItsLog.has(name)) index += word.includes('=') ? 0 : 1;
    else if (!withoutMeaning.has(name)) istioFlags.push(word);
  }
  return {
    name: 'apply',
    isJson: false,
    isDryRun: false,
    backend: isNft ? 'nft' : undefined,
    settings: undefined,
    annotations: undefined,
    istioFlags,
  };
}

/** Each with a value. */
const ofItsLog: ReadonlySet<string> = new Set([
  ...['--log_output_level', '--log_target', '--log_caller', '--log_stacktrace_level', '--vklog'],
]);
/** Rules that are there are replaced always. */
const withoutMeaning: ReadonlySet<string> = new Set(['--log_as_json', '--force-apply']);
