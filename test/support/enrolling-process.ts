// A sidecar that only enrols its pod, for tests of the agent: says `enrolled` or why not, and stays until its standard input
// ends. Arguments: the agent's socket, and settings as JSON.

import { enrol } from '../../bpf/agent/agent-client.ts';
import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import { isFailure } from '../../bpf/loader/load-failure.ts';

const [socketPath, settings] = process.argv.slice(2);
const enrolment = await enrol({
  socketPath: socketPath!,
  settings: JSON.parse(settings!) as CaptureSettings,
  listeners: {},
});
process.stdout.write(isFailure(enrolment) ? enrolment.reason : 'enrolled');
process.stdin.on('end', () => process.exit());
process.stdin.resume();
