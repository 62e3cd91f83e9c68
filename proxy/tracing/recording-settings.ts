// What a worker needs to know of the sampling settings, and the form in which it asks them.

import type { SamplingKey } from '../../sampler/key-table.ts';
import { RuleTable } from '../../sampler/rules.ts';
import { defaultSettings, type SamplingSettings } from '../../sampler/settings.ts';
import { UpgradeBudget } from './server-timing.ts';

export interface RecordingSettings
  extends Pick<SamplingSettings, 'baseRate' | 'errors' | 'slow' | 'retries' | 'debug' | 'upgrade' | 'rules'> {
  /**
   * Thresholds come from the shared memory, by key: there is a sampling file. Otherwise the percentages of connection
   * managers and routes decide, as in Envoy.
   */
  readonly followsKeys: boolean;
}

/** The shipped settings without a file, or what a file says. */
export function recordingSettings(settings: SamplingSettings, followsKeys: boolean): RecordingSettings {
  const { baseRate, errors, slow, retries, debug, upgrade, rules } = settings;
  return { followsKeys, baseRate, errors, retries, debug, upgrade, rules, ...(slow !== undefined && { slow }) };
}

export const shippedRecording: RecordingSettings = recordingSettings(defaultSettings, false);

/** Settings made ready for requests. */
export class CompiledRecording {
  readonly followsKeys: boolean;
  readonly rules: RuleTable;
  /** Infinity keeps no request for being slow. */
  readonly slowOverMs: number;
  readonly keepsRetries: boolean;
  readonly upgradeFrom: SamplingSettings['upgrade']['accept'];
  readonly upgrades: UpgradeBudget;
  readonly #keepsLocalReplies: boolean;
  readonly #baseRate: number;
  readonly #isHttpError = new Uint8Array(1000);
  readonly #isGrpcError = new Uint8Array(1000);

  constructor({ followsKeys, baseRate, errors, slow, retries, upgrade, rules }: RecordingSettings) {
    this.#baseRate = baseRate;
    this.followsKeys = followsKeys;
    this.rules = new RuleTable(rules);
    this.slowOverMs = slow === undefined || slow.maxPerSecond === 0 ? Number.POSITIVE_INFINITY : slow.overMs;
    this.keepsRetries = retries.maxPerSecond > 0;
    this.upgradeFrom = upgrade.accept;
    this.upgrades = new UpgradeBudget(upgrade.maxPerSecond);
    this.#keepsLocalReplies = errors.keep && errors.localReplies;
    if (!errors.keep) return;
    for (const [first, last] of errors.http) this.#isHttpError.fill(1, first, last + 1);
    for (const code of errors.grpc) this.#isGrpcError[code] = 1;
  }

  /** Whether the first trace of a key may be kept before the main thread has heard of the key. */
  mayKeep(key: SamplingKey): boolean {
    return this.rules.shareOf(key, this.#baseRate).rate > 0;
  }

  /** `grpcStatus` is -1 where the request is not gRPC's. `isCut`: not answered by endpoint or route, or not to the end. */
  isError(status: number, grpcStatus: number, isCut: boolean): boolean {
    if (isCut && this.#keepsLocalReplies) return true;
    return this.#isHttpError[status] === 1 || (grpcStatus >= 0 && this.#isGrpcError[grpcStatus] === 1);
  }
}
