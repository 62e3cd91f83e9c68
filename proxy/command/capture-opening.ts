// What `--capture` loads: a file of its own in dist/, with everything of bpf/ that a proxy uses.

import { Enrolment } from '../../bpf/agent/agent-client.ts';
import { type CaptureSettings, defaultCaptureSettings } from '../../bpf/capture/settings.ts';
import { type ReadCaptureSettings, readCaptureSettings } from '../../bpf/capture/settings-reader.ts';
import { AgentRedirection } from './agent-redirection.ts';
import type { AskedCapture } from './flags.ts';
import { openLocalRedirection } from './local-redirection.ts';
import { processClock } from './process-clock.ts';
import type { NamedDescriptor, Redirection, RedirectionFailure } from './redirection.ts';

export interface OpeningOptions {
  readonly choice: AskedCapture;
  readonly settings: CaptureSettings;
  /** Of the process before this one; stay the caller's. */
  readonly inherited: readonly NamedDescriptor[];
  readonly log: { info(text: string): void; warn(text: string): void };
}

/** Those of a file, given as its tree; without a file, the shipped ones. */
export function readSettings(file: { readonly tree: unknown } | undefined): ReadCaptureSettings {
  return file === undefined ? { kind: 'settings', settings: defaultCaptureSettings } : readCaptureSettings(file.tree);
}

/** Resolves when connections are captured, or cannot be; that of an agent, which may come later, after the first attempt. */
export async function openRedirection(options: OpeningOptions): Promise<Redirection | RedirectionFailure> {
  const { choice, settings, inherited, log } = options;
  if (choice.kind !== 'agent') return openLocalRedirection({ mode: choice.kind, settings, inherited });
  const { socketPath } = choice;
  const redirection = new AgentRedirection({
    socketPath,
    settings,
    enrolment: (asked) => new Enrolment(asked),
    schedule: processClock.schedule,
    log,
  });
  await redirection.open();
  return redirection;
}
