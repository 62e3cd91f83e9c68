// Redirection of the application's connections to this proxy (`--capture`): opened before anything is served, given the
// inbound listening sockets as they come, and released at the end as the policy says.
//
// Its code is a file of its own in dist/, loaded only when it is asked for: libbpf and what calls it would cost every
// start some milliseconds.

import { readFileSync } from 'node:fs';
import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import { formatAddress, type IpAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import { ConfigError, Problems } from '../../config/problems.ts';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import { close } from '../../native/socket.ts';
import { parseFile } from '../../xds/document/config-document.ts';
import type { OpenedAddress } from '../listener/listener-opening.ts';
import type { ShortcutMaps } from '../reactor/shortcut-exit.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import type { CaptureOverview } from './capture-overview.ts';
import type { CaptureChoice, Flags } from './flags.ts';
import type { NamedDescriptor, Redirection, RedirectionFailure } from './redirection.ts';

export interface CaptureOptions {
  readonly choice: CaptureChoice;
  /** A file of people, or the shipped settings. */
  readonly settingsPath: string | undefined;
  /** Of the process before this one, when it hands over what it had opened. Closed by `open`. */
  readonly inherited: readonly NamedDescriptor[];
  /** Called before anything is served when sockets of this machine give bytes to each other past TCP. */
  readonly useShortcut: (maps: ShortcutMaps) => void;
  readonly log: Pick<ComponentLog, 'info' | 'warn' | 'error'>;
  /** Loads what does it; a test gives its own. */
  readonly load?: () => Promise<CaptureOpening>;
}

/** The part of dist/ that is loaded late. */
export type CaptureOpening = typeof import('./capture-opening.ts');

export class Capture {
  readonly #options: CaptureOptions;
  readonly #inbound = new Set<string>();
  #inboundPort = 0;
  #policy: 'open' | 'closed' = 'closed';
  #redirection: Redirection | null = null;
  #failure: RedirectionFailure | null = null;
  #isHandedOver = false;

  constructor(options: CaptureOptions) {
    this.#options = options;
  }

  /** Resolves when connections are captured, or cannot be. Rejects with ConfigError when the settings cannot be used. */
  async open(): Promise<void> {
    try {
      await this.#open();
    } finally {
      // What is used of it was duplicated. The rest would redirect as long as this process holds it.
      for (const { fd } of this.#options.inherited) close(fd);
    }
  }

  async #open(): Promise<void> {
    const { choice, settingsPath, inherited, useShortcut, load = loadOpening } = this.#options;
    if (choice.kind === 'none') return;
    const { openRedirection, readSettings } = await load();
    const settings = settingsOf(settingsPath, readSettings);
    this.#inboundPort = settings.inbound.port;
    this.#policy = settings.policy;
    const opened = await openRedirection({ choice, settings, inherited, log: this.#options.log });
    if ('setListener' in opened) {
      this.#redirection = opened;
      if (opened.shortcutMaps !== null) useShortcut(opened.shortcutMaps);
    } else this.#failure = opened;
    this.#tell(settingsPath);
  }

  /** A listener has new sockets. Those at the inbound port get the connections that are captured for it. */
  onOpened({ ipv4Compatible }: Listener, opened: readonly OpenedAddress[]): void {
    if (this.#redirection === null) return;
    for (const { bound, sockets } of opened) {
      if (bound.kind !== 'ip' || bound.port !== this.#inboundPort) continue;
      // One stands for all that share its port: the kernel deals connections out to them as ever.
      for (const family of familiesOf(bound, ipv4Compatible)) this.#register(family, sockets[0]!, bound);
    }
  }

  /** Null when nothing was asked for. */
  overview(): CaptureOverview | null {
    const { choice } = this.#options;
    if (choice.kind === 'none') return null;
    const redirection = this.#redirection;
    return {
      asked: choice.kind === 'agent' ? `agent:${choice.socketPath}` : choice.kind,
      by: redirection?.by ?? null,
      problem: this.problem,
      notes: (redirection ?? this.#failure)?.notes ?? [],
      policy: this.#policy,
      inbound: [...this.#inbound],
      counters: redirection?.counters() ?? [],
    };
  }

  /** Why connections are not captured although that was asked for; the proxy is not ready then. */
  get problem(): string | null {
    return this.#redirection?.problem ?? this.#failure?.problem ?? null;
  }

  /** For a successor, which calls its own `open` with them. */
  get descriptors(): readonly NamedDescriptor[] {
    return this.#redirection?.descriptors() ?? [];
  }

  /** A successor has taken over: nothing of it is taken away at the end. */
  handOver(): void {
    this.#isHandedOver = true;
    this.#redirection?.handOver();
  }

  /** Before the listening sockets are closed for good. */
  stopListening(): void {
    this.#redirection?.stopListening();
  }

  /** At the end. Closed stays closed: without a proxy the application's connections fail rather than leave the mesh. */
  release(): void {
    const problem = this.#redirection?.release(this.#isHandedOver || this.#policy === 'closed' ? 'stay' : 'detach');
    if (problem !== undefined) this.#options.log.warn(`at the end of redirection: ${problem}`);
    this.#redirection = null;
  }

  #register(family: 4 | 6, fd: number, address: IpAddress): void {
    const problem = this.#redirection!.setListener(family, fd);
    if (problem === undefined) this.#inbound.add(formatAddress(address));
    else this.#options.log.error(`inbound connections are not given to ${formatAddress(address)}: ${problem}`);
  }

  #tell(settingsPath: string | undefined): void {
    const { log, choice } = this.#options;
    for (const note of (this.#redirection ?? this.#failure)!.notes) log.warn(note);
    const facts = { capture: choice.kind, settings: settingsPath ?? 'shipped', policy: this.#policy };
    const by = this.#redirection?.by;
    if (by === null) log.warn(facts, 'nothing is captured: nothing that this machine has can');
    else if (by !== undefined) log.info(facts, `connections are captured by ${by}`);
    else log.error(facts, `nothing is captured, so this proxy is not ready: ${this.#failure!.problem}`);
  }
}

/** For `--mode validate`. Rejects as `open` when the settings cannot be used. */
export async function validateCapture({ captureSettingsPath }: Flags): Promise<void> {
  if (captureSettingsPath === undefined) return;
  const { readSettings } = await loadOpening();
  settingsOf(captureSettingsPath, readSettings);
}

const loadOpening = (): Promise<CaptureOpening> => import('./capture-opening.ts');

function settingsOf(path: string | undefined, readSettings: CaptureOpening['readSettings']): CaptureSettings {
  const read = readSettings(path === undefined ? undefined : { tree: treeOf(path) });
  if (read.kind === 'problems') throw new ConfigError(path ?? '', read.problems);
  return read.settings;
}

/** A socket of IPv6 that accepts IPv4 peers serves both. */
function familiesOf({ ip }: IpAddress, ipv4Compatible: boolean): readonly (4 | 6)[] {
  if (!ip.includes(':')) return [4];
  return ip === '::' && ipv4Compatible ? [4, 6] : [6];
}

function treeOf(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(path, [{ path: '', message: cannotBeRead(path, error) }]);
  }
  const problems = new Problems();
  const tree = parseFile(path, text, problems);
  if (!problems.isEmpty) throw new ConfigError(path, problems.list);
  return tree;
}
