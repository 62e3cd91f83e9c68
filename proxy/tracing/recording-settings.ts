// What a worker needs to know of the sampling settings.

import type { SamplingSettings } from '../../sampler/settings.ts';

export interface RecordingSettings
  extends Pick<SamplingSettings, 'errors' | 'slow' | 'retries' | 'debug' | 'upgrade' | 'rules'> {
  /**
   * Thresholds come from the shared memory, by key: there is a sampling file. Otherwise the percentages of connection
   * managers and routes decide, as in Envoy.
   */
  readonly followsKeys: boolean;
}

/** The shipped settings without a file, or what a file says. */
export function recordingSettings(settings: SamplingSettings, followsKeys: boolean): RecordingSettings {
  const { errors, slow, retries, debug, upgrade, rules } = settings;
  return { followsKeys, errors, retries, debug, upgrade, rules, ...(slow !== undefined && { slow }) };
}
