// What Envoy refuses outrigger refuses, and what Envoy takes outrigger takes or names as a problem. The
// exceptions are the cases of `envoyRefuses`, each with its reason.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findEnvoy } from '../differential/envoy-binary.ts';
import { bootstrapProblems } from '../support/config-fixtures.ts';
import { clusterCases } from './cluster-cases.ts';
import { formatCases } from './format-cases.ts';
import { listenerCases } from './listener-cases.ts';
import { managerCases } from './manager-cases.ts';
import { processCases } from './process-cases.ts';
import { routeCases } from './route-cases.ts';
import { telemetryCases } from './telemetry-cases.ts';

const chapters = {
  'the process': processCases,
  listeners: listenerCases,
  'connection managers': managerCases,
  routes: routeCases,
  clusters: clusterCases,
  'headers and logs': formatCases,
  telemetry: telemetryCases,
};

for (const [chapter, cases] of Object.entries(chapters)) {
  t.test(`outrigger takes and refuses as recorded: ${chapter}`, async (t) => {
    for (const { title, text, problem } of cases) {
      const problems = bootstrapProblems(text);
      if (problem === null) t.same(problems, [], title);
      else t.ok(problems.join('\n').includes(problem), title, { problem, problems });
    }
  });
}

const envoy = findEnvoy();
if ('missing' in envoy) t.pass('Envoy takes and refuses as recorded', { skip: envoy.missing });
else compareWithEnvoy(envoy.path);

function compareWithEnvoy(binary: string): void {
  // Each case is a process; together they take longer than the usual limit of a test file.
  t.setTimeout(900_000);
  for (const [chapter, cases] of Object.entries(chapters)) {
    t.test(`Envoy takes and refuses as recorded: ${chapter}`, async (t) => {
      const file = join(t.testdir(), 'bootstrap.yaml');
      for (const { title, text, envoyTakes } of cases) {
        writeFileSync(file, text);
        t.equal(await isTaken(binary, file), envoyTakes, title);
      }
    });
  }
}

function isTaken(binary: string, file: string): Promise<boolean> {
  const validation = spawn(binary, ['--mode', 'validate', '-c', file, '-l', 'off'], { stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    validation.once('error', reject);
    validation.once('exit', (code) => resolve(code === 0));
  });
}
