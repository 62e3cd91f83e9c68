// Certificates that a mesh of Istio does not know, towards sidecars and behind them; and a mesh whose control plane has gone.
// The program beside this file runs in namespaces of its own.

import { join } from 'node:path';
import t from 'tap';
import { findIstiod } from '../istio/istiod-program.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { rulesProblem } from '../support/redirection-rules.ts';

/** The first run builds Istio. */
t.setTimeout(900_000);

const problem = bpfSkipReason('root', 'namespaces') ?? rulesProblem();
const istiod = problem === undefined ? await findIstiod() : { missing: problem };

if ('missing' in istiod) t.pass('certificates in a mesh', { skip: istiod.missing });
else {
  const program = join(import.meta.dirname, 'certificates-in-namespace.ts');
  const command = ['--net', '--mount', process.execPath, program, istiod.path];
  t.spawn('unshare', command, { timeout: 900_000 }, 'certificates in a mesh');
}
