// What `--capture` loads: a file of its own in dist/, with everything of bpf/ that a proxy uses.

import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import type { CaptureChoice } from './flags.ts';
import type { NamedDescriptor, Redirection, RedirectionFailure } from './redirection.ts';

export { defaultCaptureSettings } from '../../bpf/capture/settings.ts';
export { readCaptureSettings } from '../../bpf/capture/settings-reader.ts';

export interface OpeningOptions {
  readonly choice: CaptureChoice;
  readonly settings: CaptureSettings;
  readonly inherited: readonly NamedDescriptor[];
  readonly log: Pick<ComponentLog, 'info' | 'warn' | 'error'>;
}

export async function openRedirection({ choice }: OpeningOptions): Promise<Redirection | RedirectionFailure> {
  return { problem: `this build does not capture by ${choice.kind}`, notes: [] };
}
