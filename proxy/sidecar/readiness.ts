// When a pod may get traffic, by the rule of Istio's agent: the proxy serves, and once in the life of the process all
// clusters and all listeners that the control plane sent were accepted. Until then a policy may have been refused with its
// listener, so that nothing is there which would enforce it.
// https://github.com/istio/istio/blob/master/pilot/cmd/pilot-agent/status/ready/probe.go
//
// What an earlier run accepted counts while the control plane has not answered: a restart without one serves.

import type { ComponentLog } from '../telemetry/process-log.ts';
import type { FollowedType, OwnAdmin } from './own-admin.ts';

export interface Readiness {
  readonly isReady: boolean;
  /** A sentence a line; the state of the proxy where it is ready. */
  readonly reason: string;
}

export interface ReadinessProbeOptions {
  readonly admin: Pick<OwnAdmin, 'readiness' | 'followedTypes'>;
  readonly log: Pick<ComponentLog, 'info' | 'warn'>;
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, callback: () => void) => void;
  /** The pod's DNS comes to us: without the names of the mesh it would resolve none. */
  readonly needsNames?: boolean;
}

export class ReadinessProbe {
  readonly #options: ReadinessProbeOptions;
  readonly #kinds: readonly Kind[];
  #wasAccepted = false;
  /** While it is asked for, and for a moment after where it only explains. */
  #types: Promise<readonly FollowedType[] | string> | undefined;
  /** What was told last, so that the log has each change once. */
  #last: string | undefined;

  constructor(options: ReadinessProbeOptions) {
    this.#options = options;
    this.#kinds = options.needsNames === true ? [...KINDS, NAMES] : KINDS;
  }

  /** With `verbose`, also what was refused since. Never rejects. */
  async check({ verbose = false }: { readonly verbose?: boolean } = {}): Promise<Readiness> {
    const { admin } = this.#options;
    const own = await admin.readiness();
    if (!own.isReady || (this.#wasAccepted && !verbose)) return this.#told(own);
    const types = await this.#followedTypes();
    if (typeof types === 'string') return this.#told({ isReady: false, reason: types });
    const problems = this.#wasAccepted ? [] : this.#kinds.flatMap((kind) => problemOf(kind, types));
    if (problems.length > 0) return this.#told({ isReady: false, reason: problems.join('\n') });
    this.#wasAccepted ||= this.#kinds.every(({ name }) => typeNamed(name, types)?.wasAccepted);
    const refusals = verbose ? this.#kinds.flatMap((kind) => refusalOf(kind, types)) : [];
    this.#told(own);
    return { isReady: true, reason: [own.reason, ...refusals].join('\n') };
  }

  /** Who asks again and again costs no more than who asks every second; but that it is ready is told at once. */
  #followedTypes(): Promise<readonly FollowedType[] | string> {
    this.#types ??= this.#askTypes();
    return this.#types;
  }

  async #askTypes(): Promise<readonly FollowedType[] | string> {
    const { admin, schedule } = this.#options;
    const types = await admin.followedTypes();
    const forget = (): void => {
      this.#types = undefined;
    };
    if (this.#wasAccepted) schedule(EXPLANATION_AGE_MS, forget);
    else forget();
    return types;
  }

  #told(readiness: Readiness): Readiness {
    const { isReady, reason } = readiness;
    const told = isReady ? '' : reason;
    if (told !== this.#last) {
      if (isReady) this.#options.log.info('the sidecar is ready');
      else this.#options.log.warn({ reason }, 'the sidecar is not ready');
    }
    this.#last = told;
    return readiness;
  }
}

const EXPLANATION_AGE_MS = 1000;

interface Kind {
  readonly name: string;
  readonly words: string;
}

const KINDS: readonly Kind[] = [
  { name: 'envoy.config.cluster.v3.Cluster', words: 'clusters' },
  { name: 'envoy.config.listener.v3.Listener', words: 'listeners' },
];

const NAMES: Kind = { name: 'istio.networking.nds.v1.NameTable', words: 'names of the mesh' };

function problemOf(kind: Kind, types: readonly FollowedType[]): readonly string[] {
  const type = typeNamed(kind.name, types);
  if (type === undefined || (!type.hasAnswer && !type.isHeld)) return [`NO CONFIGURATION: ${kind.words} have not come`];
  if (type.wasAccepted || !type.hasAnswer) return [];
  return [`REFUSED: ${kind.words} were never accepted: ${type.refusal ?? 'the answer is not complete'}`];
}

function refusalOf(kind: Kind, types: readonly FollowedType[]): readonly string[] {
  const refusal = typeNamed(kind.name, types)?.refusal;
  return refusal === undefined ? [] : [`REFUSED: ${kind.words}, whose last accepted state serves: ${refusal}`];
}

function typeNamed(name: string, types: readonly FollowedType[]): FollowedType | undefined {
  return types.find((type) => type.name === name);
}
