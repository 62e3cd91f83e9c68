// The same requests through Envoy and through outrigger, from the same bootstrap, to the same origin: what the client and
// the origin received, what was logged and what was counted are compared value by value. A difference is a mistake, or
// an entry of accepted-differences.ts.
// `node test/differential/differential.test.ts SUITE…` runs a part and prints all differences.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { acceptedDifferences } from './accepted-differences.ts';

import { compareSuite } from './comparison.ts';
import { findEnvoy } from './envoy-binary.ts';
import type { Difference } from './observation.ts';
import { RecordingOrigin } from './recording-origin.ts';
import { suites } from './suites.ts';

/** Some milliseconds a case on an idle machine; tests share it with others. */
const timeoutMs = 220_000;
t.setTimeout(timeoutMs);

/** By test/differential-dynamic, tracing-comparison.test.ts, and tests of the admin interface. */
const comparedElsewhere = [
  'Changes of the configuration',
  'Headers of traces',
  'Which traces are kept',
  'Telemetry to collectors',
  'Admin interface',
  'TLS',
  'Redirection',
  'Hot restart',
];

const wanted = process.argv.slice(2);
const envoy = findEnvoy();

if ('missing' in envoy) t.pass('the comparison with Envoy', { skip: envoy.missing });
else compareAll(envoy.path);

function compareAll(envoyPath: string): void {
  const used = new Set<number>();
  const directory = t.testdir({});
  for (const suite of suites.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    t.test(`${suite.name}: ${suite.cases.length} cases`, { timeout: timeoutMs }, async (t) => {
      const origin = await RecordingOrigin.start();
      t.teardown(() => origin.stop());
      const differences = await compareSuite(suite, { envoyPath, directory, origin });
      const unexplained = differences.filter((difference) => !isAccepted(difference, used));
      t.same(unexplained.map(describe), []);
    });
  }
  if (wanted.length > 0) return;
  t.test('every accepted difference is in the documentation', (t) => {
    const page = readFileSync(new URL('../../docs/differences-from-envoy.md', import.meta.url), 'utf8');
    const headings = new Set([...page.matchAll(/^## (.+)$/gm)].map((match) => match[1]));
    for (const heading of comparedElsewhere) headings.delete(heading);
    t.same(new Set(acceptedDifferences.map(({ section }) => section)), headings);
    t.end();
  });
  t.test('every accepted difference still occurs', (t) => {
    t.same(
      acceptedDifferences.filter((_, index) => !used.has(index)).map(({ reason }) => reason),
      [],
    );
    t.end();
  });
}

function isAccepted(difference: Difference, used: Set<number>): boolean {
  const index = acceptedDifferences.findIndex((accepted) => accepted.explains(difference));
  if (index >= 0) used.add(index);
  return index >= 0;
}

function describe({ place, field, envoy, outrigger }: Difference): string {
  return `${place} | ${field}: Envoy ${JSON.stringify(envoy)}, outrigger ${JSON.stringify(outrigger)}`;
}
