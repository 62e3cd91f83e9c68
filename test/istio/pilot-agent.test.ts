// Istio's own agent with Outrigger as its Envoy: the agent's flags, its template of a bootstrap, its sockets for configuration
// and certificates, its questions to the admin interface. The program beside this file runs in namespaces of its own.

import { join } from 'node:path';
import t from 'tap';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { rulesProblem } from '../support/redirection-rules.ts';
import { findIstiod, findPilotAgent } from './istiod-program.ts';

/** The first run builds Istio and its agent. */
t.setTimeout(900_000);

const problem = bpfSkipReason('root', 'namespaces') ?? rulesProblem();
const istiod = problem === undefined ? await findIstiod() : { missing: problem };
const agent = 'missing' in istiod ? istiod : await findPilotAgent();

if ('missing' in istiod) t.pass('under pilot-agent', { skip: istiod.missing });
else if ('missing' in agent) t.pass('under pilot-agent', { skip: agent.missing });
else {
  const program = join(import.meta.dirname, 'pilot-agent-in-namespace.ts');
  const command = ['--net', '--mount', process.execPath, program, istiod.path, agent.path];
  t.spawn('unshare', command, { timeout: 900_000 }, 'under pilot-agent');
}
