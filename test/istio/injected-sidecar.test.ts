// A pod as Istio's injector furnishes it, with our image in both places: the init container's arguments, the sidecar's, the
// hooks' and the kubelet's questions. The program beside this file runs in namespaces of its own.

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

if ('missing' in istiod) t.pass('an injected pod', { skip: istiod.missing });
else {
  const program = join(import.meta.dirname, 'injected-sidecar-in-namespace.ts');
  // Whose rules of redirection are in force: ours, and Istio's where they can be had.
  const rules = ['ours', ...('path' in agent ? [agent.path] : [])];
  // Each in namespaces of its own: while one waits the other goes on.
  t.jobs = 2;
  for (const each of rules) {
    const command = ['--net', '--mount', process.execPath, program, istiod.path, each];
    const name = `an injected pod, with the rules of ${each}`;
    const { subtest } = t.spawn('unshare', command, { timeout: 900_000 }, name);
    // What runs side by side is printed when it has ended, and a test that says nothing for so long is taken to hang.
    subtest!.parser.on('child', (child) => console.log(`# ${name}: ${child.name}`));
  }
}
