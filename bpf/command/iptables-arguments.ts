// The command line of `outrigger iptables`. What is redirected is said to it as to istio-iptables: by flags behind `--`, the
// environment, the pod's annotations, in this order; or by a file of settings alone.

import { parseArgs } from 'node:util';
import { BACKENDS, type BackendName } from '../capture/iptables-backend.ts';

export const IPTABLES_COMMANDS = ['apply', 'clean', 'show'] as const;

export interface IptablesCommand {
  readonly name: (typeof IPTABLES_COMMANDS)[number];
  readonly isJson: boolean;
  readonly isDryRun: boolean;
  readonly backend: BackendName | undefined;
  /** Files. */
  readonly settings: string | undefined;
  readonly annotations: string | undefined;
  readonly istioFlags: readonly string[];
}

/** A command line that cannot be used; the message says what would be right. */
export class IptablesUsageError extends Error {}

/** Reads the arguments behind `outrigger iptables`; help is undefined. Throws IptablesUsageError. */
export function parseIptablesArguments(args: readonly string[]): IptablesCommand | undefined {
  const dashes = args.includes('--') ? args.indexOf('--') : args.length;
  const [first, ...own] = args.slice(0, dashes);
  if (first === undefined || ['help', '--help', '-h'].includes(first) || own.some((each) => isHelp(each)))
    return undefined;
  const name = IPTABLES_COMMANDS.find((each) => each === first);
  if (name === undefined)
    throw new IptablesUsageError(`there is no command ${first}: there are ${IPTABLES_COMMANDS.join(', ')}`);
  const values = valuesOf(own);
  const istioFlags = args.slice(dashes + 1);
  const backend = BACKENDS.find((each) => each === values.backend);
  if (values.backend !== undefined && backend === undefined)
    throw new IptablesUsageError(`--backend ${values.backend}: ${BACKENDS.join(' or ')} is needed`);
  const isSaid = values.settings !== undefined || values.annotations !== undefined || istioFlags.length > 0;
  if (name !== 'apply' && (isSaid || values['dry-run'] === true))
    throw new IptablesUsageError(`${name} takes --backend and --json alone: what is redirected is for apply`);
  if (values.settings !== undefined && (values.annotations !== undefined || istioFlags.length > 0))
    throw new IptablesUsageError(
      'settings come from --settings FILE, or from flags behind -- and annotations, not from both',
    );
  return {
    name,
    isJson: values.json ?? false,
    isDryRun: values['dry-run'] ?? false,
    backend,
    settings: values.settings,
    annotations: values.annotations,
    istioFlags,
  };
}

export const IPTABLES_USAGE = `outrigger iptables COMMAND [flags]: redirection of connections by rules of iptables, in this network namespace

  apply   puts the rules in place, IPv4 and IPv6; again, it replaces them
  clean   takes them away, also those of a sidecar that was killed, and no others
  show    lists them, of every table, with how many connections or packets met each

  --dry-run           apply: prints the rules of both families and changes nothing
  --settings FILE     apply: what is redirected, YAML or JSON, in place of all that follows
  --annotations FILE  apply: the pod's, as the downward API writes them; /etc/istio/pod/annotations where it is
  --backend NAME      nft or legacy; the one that iptables is here when not given
  --json              prints JSON for programs in place of text for people

Behind --, flags of istio-iptables say what is redirected: -p 15001 -z 15006 -x 10.0.0.0/8 -d 15090
They come before its variables of the environment, and these before the pod's annotations.

Ends with 0 (done; rules are there), 1 (not done; show: there are none) or 2 (command line).
`;

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h';
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new IptablesUsageError(error.message.split('. ')[0]!);
  }
}

const OPTIONS = {
  'dry-run': { type: 'boolean' },
  settings: { type: 'string' },
  annotations: { type: 'string' },
  backend: { type: 'string' },
  json: { type: 'boolean' },
} as const;
