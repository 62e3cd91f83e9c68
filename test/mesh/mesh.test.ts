// A mesh as Istio makes it: pods as network namespaces, sidecars of ours without Istio's agent, a real control plane with its
// CA. The program beside this file runs in namespaces of its own.

import { join } from 'node:path';
import t from 'tap';
import { findIstiod } from '../istio/istiod-program.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { rulesProblem } from '../support/redirection-rules.ts';

/** The first run builds Istio. */
t.setTimeout(900_000);

const problem = bpfSkipReason('root', 'namespaces') ?? rulesProblem();
const istiod = problem === undefined ? await findIstiod() : { missing: problem };

if ('missing' in istiod) t.pass('a mesh of Istio', { skip: istiod.missing });
else {
  const command = [
    '--net',
    '--mount',
    process.execPath,
    join(import.meta.dirname, 'mesh-in-namespace.ts'),
    istiod.path,
  ];
  t.spawn('unshare', command, { timeout: 900_000 }, 'a mesh of Istio');
}
