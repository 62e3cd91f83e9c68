// The sidecar of a pod with a network of its own, for tests of the agent: enrols without sockets first, as a proxy does that
// serves nothing yet, hands over its listening socket, and says what it was told. Arguments: the agent's socket.

import { createServer, type Server } from 'node:net';
import { enrol } from '../../bpf/agent/agent-client.ts';
import { defaultCaptureSettings } from '../../bpf/capture/settings.ts';
import { isFailure } from '../../bpf/loader/load-failure.ts';

const socketPath = process.argv[2]!;
const server = createServer().listen(15006, '0.0.0.0', async () => {
  const enrolment = await enrol({ socketPath, settings: defaultCaptureSettings, listeners: {} });
  if (isFailure(enrolment)) return say(enrolment);
  const { fd } = (server as Server & { readonly _handle: { readonly fd: number } })._handle;
  const refused = await enrolment.setListener('ipv4', fd);
  const counters = await enrolment.counters();
  say({ refused, pod: enrolment.pod, counters });
});

function say(what: object): void {
  process.stdout.write(JSON.stringify(what), () => process.exit());
}
