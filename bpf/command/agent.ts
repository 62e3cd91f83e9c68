// `outrigger bpf agent`: runs until it is told to end, and says in a line each what happens.

import { once } from 'node:events';
import { agentProblem, NodeAgent, type NodeAgentOptions } from '../agent/node-agent.ts';
import { isFailure } from '../loader/load-failure.ts';
import { kernelProbes } from '../loader/probes.ts';
import { type BpfCommand, countOf } from './arguments.ts';
import { openObjects } from './object-source.ts';
import { failed, type Outcome } from './outcome.ts';

/** Resolves when the agent has ended. */
export async function agent(command: BpfCommand): Promise<Outcome> {
  const { values } = command;
  const socketPath = values.get('socket')!;
  if (values.has('is-ready')) {
    const problem = await agentProblem(socketPath);
    return problem === undefined ? done(`the agent at ${socketPath} serves`) : failed(problem);
  }
  const files = openObjects(command);
  if (isFailure(files)) return failed(files);
  const started = NodeAgent.start({
    socketPath,
    files,
    probes: kernelProbes(),
    cgroupRoot: values.get('cgroup-root'),
    bpffs: values.get('bpffs'),
    mostPods: countOf(command, 'most-pods', 512),
    log: values.has('json') ? logJson : logText,
  });
  if (isFailure(started)) return failed(started);
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  started.close();
  return { text: '', data: { event: 'ended' }, exitCode: 0 };
}

function done(text: string): Outcome {
  return { text: `${text}\n`, data: { state: text }, exitCode: 0 };
}

type Log = NodeAgentOptions['log'];

const logJson: Log = (event) => {
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
};

const logText: Log = ({ event, ...details }) => {
  const rest = Object.entries(details).map(([name, value]) => `${name}=${quoted(String(value))}`);
  process.stdout.write(`${[new Date().toISOString(), event, ...rest].join(' ')}\n`);
};

/** Reasons hold words of peers: none of them begins a line of its own. */
function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : JSON.stringify(text);
}
