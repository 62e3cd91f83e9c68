// The command line of `outrigger bpf`. Every command has a table of its flags: what is not in it is refused with the list of
// those that are, because a misspelt `--dry-run` must not become a run. Flags of istio-iptables stand behind `--`.

import { EVENT_RING_MIB } from '../capture/settings.ts';

export const COMMANDS = ['status', 'load', 'unload', 'swap', 'events', 'doctor', 'agent', 'audit'] as const;
export type CommandName = (typeof COMMANDS)[number];

export interface BpfCommand {
  readonly name: CommandName;
  /** By the flag's name without dashes; a flag that takes no value is there with an empty text. */
  readonly values: ReadonlyMap<string, string>;
  /** What stood behind `--`. */
  readonly istioFlags: readonly string[];
}

/** A command line that cannot be used; the message says what would be right. */
export class UsageError extends Error {
  /** The command it was about, whose help is worth showing. */
  readonly command: CommandName | undefined;

  constructor(message: string, command?: CommandName) {
    super(message);
    this.command = command;
  }
}

/** A question about the command line, of one command when it is named. */
export interface HelpRequest {
  readonly name: 'help';
  readonly about: string | undefined;
}

/** Reads the arguments behind `outrigger bpf`. Throws UsageError. */
export function parseArguments(args: readonly string[]): BpfCommand | HelpRequest {
  const [first, ...rest] = args;
  if (first === undefined || first === '--help' || first === '-h') return helpOf(undefined);
  if (first === 'help') return helpOf(rest[0]);
  const name = first === '--audit' ? 'audit' : COMMANDS.find((each) => each === first);
  if (name === undefined) throw new UsageError(`there is no command ${first}: there are ${COMMANDS.join(', ')}`);
  const dashes = rest.indexOf('--');
  const own = dashes < 0 ? rest : rest.slice(0, dashes);
  const istioFlags = dashes < 0 ? [] : rest.slice(dashes + 1);
  if (own.includes('--help') || own.includes('-h')) return helpOf(name);
  if (istioFlags.length > 0 && !TAKES_SETTINGS.has(name)) {
    throw new UsageError(`${name} takes no settings of redirection behind --`, name);
  }
  const values = collect(name, own);
  for (const [flag, rule] of flagsOf(name)) {
    if (rule.isNeeded === true && !values.has(flag)) throw new UsageError(`--${flag} is needed: ${rule.help}`, name);
  }
  if (values.has('settings') && istioFlags.length > 0) {
    throw new UsageError('settings come from --settings FILE or from flags behind --, not from both', name);
  }
  return { name, values, istioFlags };
}

/** What `--help` prints; of one command when it is named. */
export function usageText(command?: string): string {
  const name = COMMANDS.find((each) => each === command);
  return name === undefined ? overview() : commandHelp(name);
}

function helpOf(about: string | undefined): HelpRequest {
  return { name: 'help', about };
}

interface FlagRule {
  /** What its value is called; absent where it takes none. */
  readonly value?: string;
  readonly isNeeded?: boolean;
  readonly help: string;
}

const json: readonly [string, FlagRule] = ['json', { help: 'prints JSON for programs in place of text for people' }];
const bpffs: readonly [string, FlagRule] = [
  'bpffs',
  { value: 'FOLDER', help: 'where bpffs is mounted; found in /proc/self/mountinfo when not given' },
];
const objects: readonly [string, FlagRule] = [
  'objects',
  { value: 'FOLDER', help: 'BPF objects with their manifest, in place of those that ship with this program' },
];
const requireSigned: readonly [string, FlagRule] = [
  'require-signed',
  { help: 'refuses BPF objects whose manifest has no signature' },
];
const releaseKey: readonly [string, FlagRule] = [
  'release-key',
  { value: 'FILE', help: 'ed25519 public key (PEM) that the manifest must be signed with' },
];
const name: readonly [string, FlagRule] = [
  'name',
  { value: 'NAME', isNeeded: true, help: 'what this redirection is called, as `status` lists it' },
];
const settings: readonly [string, FlagRule] = [
  'settings',
  { value: 'FILE', help: 'what is redirected and what is not, YAML or JSON; the defaults of istio-iptables without' },
];

const FLAGS: Readonly<Record<CommandName, readonly (readonly [string, FlagRule])[]>> = {
  doctor: [
    ['cgroup', { value: 'FOLDER', help: "the application's cgroup, to check that programs can be attached to it" }],
    bpffs,
    objects,
    json,
  ],
  status: [['name', { value: 'NAME', help: 'only this redirection' }], bpffs, json],
  load: [
    name,
    ['cgroup', { value: 'FOLDER', isNeeded: true, help: "the application's cgroup, whose connections are redirected" }],
    ['proxy-cgroup', { value: 'FOLDER', help: "the sidecar's cgroup, where it asks for original destinations" }],
    settings,
    bpffs,
    objects,
    requireSigned,
    releaseKey,
    json,
  ],
  unload: [name, bpffs, json],
  swap: [name, bpffs, objects, requireSigned, releaseKey, json],
  events: [
    ['cgroup', { value: 'FOLDER', isNeeded: true, help: 'connections of processes in this cgroup and below it' }],
    [
      'name',
      { value: 'NAME', help: 'a redirection that is pinned: events then say where its connections were headed' },
    ],
    ['count', { value: 'N', help: 'ends after so many events' }],
    ['seconds', { value: 'N', help: 'ends after so many seconds' }],
    ['ring-mib', { value: 'N', help: 'room for events that were not read yet, a power of two; 4 when not given' }],
    bpffs,
    objects,
    json,
  ],
  agent: [
    [
      'socket',
      { value: 'FILE', isNeeded: true, help: 'Unix socket where sidecars enrol their pods; made by the agent' },
    ],
    [
      'cgroup-root',
      { value: 'FOLDER', help: 'where cgroup2 is mounted; found in /proc/self/mountinfo when not given' },
    ],
    ['most-pods', { value: 'N', help: 'how many pods may be enrolled at once; 512 when not given' }],
    ['is-ready', { help: 'asks the agent at the socket whether it serves, in place of being one' }],
    bpffs,
    objects,
    requireSigned,
    releaseKey,
    json,
  ],
  audit: [bpffs, objects, requireSigned, releaseKey, json],
};

/** Commands that may be given settings of redirection. */
const TAKES_SETTINGS: ReadonlySet<string> = new Set(['load']);

const SUMMARIES: Readonly<Record<CommandName, string>> = {
  doctor: 'what this kernel can do, what is missing, what that costs and what to do about it',
  status: 'what is attached, since when, by which version, and what it counted',
  load: 'redirects the outgoing connections of a cgroup, and keeps doing so after this command ends',
  unload: 'takes a redirection away',
  swap: 'puts the programs of this version in place of those that are attached, without losing a connection',
  events: 'prints connections as they open and close',
  agent: 'serves sidecars of this node, which cannot reach the cgroup of their pod themselves',
  audit:
    'programs, hashes, signature, capabilities, attach points; fails on what is not as the manifest has it (also: --audit)',
};

const NOTES: Readonly<Partial<Record<CommandName, string>>> = {
  load: 'Incoming connections need a listening socket that the proxy alone has: `outrigger --capture` and the agent redirect them.',
  audit:
    'Needs CAP_SYS_ADMIN beside CAP_BPF and CAP_NET_ADMIN, to see every program of the machine. A manifest that is not signed\nis that of a build of your own, which passes: with --require-signed it fails.',
};

const EXIT_CODES = `exit codes:
  0  done, or nothing is wrong
  1  it could not be done, or something is wrong: the text says what
  2  the command line cannot be used
`;

function flagsOf(command: CommandName): ReadonlyMap<string, FlagRule> {
  return new Map(FLAGS[command]);
}

/** `--flag value` and `--flag=value`; each once. */
function collect(command: CommandName, args: readonly string[]): ReadonlyMap<string, string> {
  const rules = flagsOf(command);
  const values = new Map<string, string>();
  for (let index = 0; index < args.length; index++) {
    const [, flag, given] = /^--([^=]+)(?:=(.*))?$/s.exec(args[index]!) ?? [];
    const rule = flag === undefined ? undefined : rules.get(flag);
    if (flag === undefined || rule === undefined) throw unknown(command, args[index]!);
    if (values.has(flag)) throw new UsageError(`--${flag} is given twice`, command);
    if (rule.value === undefined && given !== undefined) throw new UsageError(`--${flag} takes no value`, command);
    const value = rule.value === undefined ? '' : (given ?? args[++index]);
    if (value === undefined || (rule.value !== undefined && value === '')) {
      throw new UsageError(`--${flag} needs a value: ${rule.value}, ${rule.help}`, command);
    }
    values.set(flag, value);
  }
  return values;
}

function unknown(command: CommandName, argument: string): UsageError {
  const known = [...flagsOf(command).keys()].map((flag) => `--${flag}`).join(', ');
  const settings = TAKES_SETTINGS.has(command) ? '; flags of istio-iptables stand behind --' : '';
  return new UsageError(`${command} does not know ${argument}: it takes ${known}${settings}`, command);
}

/** A whole number from 1 on of a flag's value, or `otherwise`. Throws UsageError. */
export function countOf(command: BpfCommand, flag: string, otherwise: number): number {
  const text = command.values.get(flag);
  if (text === undefined) return otherwise;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`--${flag} ${text}: a whole number from 1 to 999999999 is needed`);
}

/** What `--ring-mib` says; undefined when it was not given. */
export function ringBytesOf({ values }: BpfCommand): number | undefined {
  const text = values.get('ring-mib');
  if (text === undefined) return undefined;
  const mib = EVENT_RING_MIB.find((each) => String(each) === text);
  if (mib !== undefined) return mib * 1024 * 1024;
  throw new UsageError(`--ring-mib ${text}: one of ${EVENT_RING_MIB.join(', ')} is needed`);
}

function overview(): string {
  const rows = COMMANDS.map((command) => `  ${command.padEnd(8)}${SUMMARIES[command]}`);
  return `outrigger bpf COMMAND [flags]: redirection of connections by eBPF

${rows.join('\n')}

outrigger bpf COMMAND --help lists the flags of one.
Where to begin: outrigger bpf doctor

${EXIT_CODES}`;
}

function commandHelp(command: CommandName): string {
  const rows = FLAGS[command].map(([flag, rule]) => {
    const spelling = `--${flag}${rule.value === undefined ? '' : ` ${rule.value}`}`;
    return `  ${spelling.padEnd(24)}${rule.isNeeded === true ? '(needed) ' : ''}${rule.help}`;
  });
  const istio = TAKES_SETTINGS.has(command)
    ? '\nBehind --, flags of istio-iptables say what is redirected: -p 15001 -z 15006 -x 10.0.0.0/8 -d 15090\n'
    : '';
  const note = NOTES[command] === undefined ? '' : `\n${NOTES[command]}\n`;
  return `outrigger bpf ${command}: ${SUMMARIES[command]}

${rows.join('\n')}
${istio}${note}
${EXIT_CODES}`;
}
