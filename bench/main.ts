// Entry of the benchmarks: see README.md for what is measured and how.
import { execFileSync } from 'node:child_process';
import { type Command, parseCommand, USAGE } from './arguments.ts';
import { LOAD_CORE, stopAllPinned } from './peers/pinned-process.ts';
import { peerNamed } from './peers/roster.ts';
import { runBpf } from './suite/bpf.ts';
import { runEngine } from './suite/engine.ts';
import { runProfile } from './suite/profile.ts';
import { runSmoke } from './suite/smoke.ts';
import { runSoak } from './suite/soak.ts';
import { runTelemetry } from './suite/telemetry.ts';
import { runTls } from './suite/tls.ts';
import { runXds } from './suite/xds.ts';
import { runXdsMinute } from './suite/xds-minute.ts';

try {
  const command = parseCommand(process.argv.slice(2));
  // Also what this process does itself (checking bodies, polling a start) belongs on the load's core.
  execFileSync('taskset', ['-a', '-c', '-p', String(LOAD_CORE), String(process.pid)], { stdio: 'ignore' });
  process.once('SIGINT', () => void stopAllPinned().then(() => process.exit(130)));
  process.exitCode = await run(command);
} catch (error) {
  console.error((error as Error).message);
  if (process.argv.length < 3) console.error(USAGE);
  process.exitCode = 1;
} finally {
  await stopAllPinned();
}

async function run(command: Command): Promise<number> {
  switch (command.kind) {
    case 'engine':
      await runEngine(command.options);
      return 0;
    case 'xds':
      await runXds(command.options);
      return 0;
    case 'xds-minute':
      await runXdsMinute(command.options);
      return 0;
    case 'telemetry':
      await runTelemetry(command.options);
      return 0;
    case 'tls':
      await runTls(command.options);
      return 0;
    case 'bpf':
      await runBpf(command.options);
      return 0;
    case 'smoke':
      await runSmoke();
      return 0;
    case 'soak':
      return (await runSoak({ peer: peerNamed(command.peer), minutes: command.minutes })) ? 1 : 0;
    case 'profile':
      await runProfile();
      return 0;
  }
}
