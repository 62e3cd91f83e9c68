// The composition root: what the arguments ask for. What serves is put together in `command/serve.ts`.

import { ConfigError } from '../config/problems.ts';
import { validateLogs } from './command/access-log-files.ts';
import { endWithConfigError, readBootstrapOf } from './command/bootstrap-reading.ts';
import { validateCapture } from './command/capture.ts';
import { FlagError, type Flags, helpText, parseFlags } from './command/flags.ts';
import { readSamplingFile } from './command/sampling-file.ts';
import { serve } from './command/serve.ts';
import type { Sidecar } from './command/sidecar.ts';
import { requestedUsage } from './command/sidecar-usage.ts';
import { version } from './command/version.ts';
import { loadUws } from './engine/uws/library.ts';
import { hotRestartVersion } from './hot-restart/message.ts';

function main(): void {
  const [program, ...args] = process.argv.slice(2);
  const usage = requestedUsage(process.argv.slice(2));
  if (usage !== undefined) process.stdout.write(usage);
  // Istio's injector calls it `proxy sidecar`.
  else if (program === 'sidecar' || program === 'proxy') void runSidecar(args);
  else if (program === 'wait') void waitForReadiness(args);
  else if (program === 'request') void askSidecarOnce(args);
  else run(process.argv.slice(2));
}

async function runSidecar(args: readonly string[]): Promise<void> {
  try {
    const { Sidecar } = await import('./command/sidecar.ts');
    const sidecar = new Sidecar(args, process.env);
    run(sidecar.arguments, sidecar);
  } catch (error) {
    endWithConfigError(error);
  }
}

async function waitForReadiness(args: readonly string[]): Promise<void> {
  try {
    const { readWaitArguments, waitUntilReady } = await import('./command/wait.ts');
    const reason = await waitUntilReady(readWaitArguments(args));
    if (reason === undefined) return;
    process.stderr.write(`outrigger: the sidecar is not ready: ${reason}\n`);
    process.exit(1);
  } catch (error) {
    endWithConfigError(error);
  }
}

async function askSidecarOnce(args: readonly string[]): Promise<void> {
  const { readRequestArguments, askSidecar } = await import('./command/request.ts');
  try {
    process.stdout.write(`${await askSidecar(readRequestArguments(args))}\n`);
  } catch (error) {
    if (error instanceof ConfigError) endWithConfigError(error);
    process.stderr.write(`outrigger: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

function run(args: readonly string[], sidecar?: Sidecar): void {
  let flags: Flags;
  try {
    flags = parseFlags(args);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`outrigger: ${error.message}\n`);
    process.exit(2);
  }
  switch (flags.mode) {
    case 'help':
      process.stdout.write(helpText());
      return;
    case 'version':
      process.stdout.write(`outrigger ${version}\n`);
      return;
    case 'hot-restart-version':
      process.stdout.write(`${hotRestartVersion}\n`);
      return;
    case 'validate':
      void validate(flags);
      return;
    case 'serve':
      if (flags.engine === 'uws') endWithoutUws();
      serve(flags, sidecar);
  }
}

/** Before anything is begun. Threads load it again, and it stays in memory when they end. */
function endWithoutUws(): void {
  try {
    loadUws();
  } catch (error) {
    process.stderr.write(`outrigger: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

async function validate(flags: Flags): Promise<void> {
  const { bootstrap } = readBootstrapOf(flags);
  try {
    validateLogs(bootstrap);
    if (flags.samplingConfigPath !== undefined) readSamplingFile(flags.samplingConfigPath);
    await validateCapture(flags);
  } catch (error) {
    endWithConfigError(error);
  }
  process.stdout.write('configuration is valid\n');
}

main();
