// The same requests through Envoy and through outrigger, both traced: what is told to the next hop and back, and which spans
// collectors get, value by value. A difference is a mistake, or an entry of tracing-differences.ts.
// `node test/differential/tracing-comparison.test.ts CHAPTER…` runs those whose names begin so.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { programFile } from '../support/program-file.ts';
import { findEnvoy } from './envoy-binary.ts';
import { compare, type Difference } from './observation.ts';
import type { ProxyName, ProxyProcess } from './proxy-process.ts';
import { type Chapter, chapters } from './tracing-cases.ts';
import { acceptedTraceDifferences } from './tracing-differences.ts';
import { type Observations, observeTraces } from './tracing-rig.ts';

/** Half a minute on an idle machine; tests share it with others. */
t.setTimeout(900_000);

const OUTRIGGER = programFile('proxy/main.ts');
const wanted = process.argv.slice(2);
const envoy = findEnvoy();

if ('missing' in envoy) t.pass('the comparison of traces with Envoy', { skip: envoy.missing });
else {
  // A short path: those of sockets may have 107 bytes, and a folder of tap's has the names of test and chapters in it.
  const directory = mkdtempSync(join(tmpdir(), 'traces-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  t.test('traces are those of Envoy', (t) => compareAll(t, { envoyPath: envoy.path, directory }));
}

interface Stage {
  readonly envoyPath: string;
  readonly directory: string;
}

async function compareAll(t: Test, stage: Stage): Promise<void> {
  const chosen = chapters.filter(({ name }) => wanted.length === 0 || wanted.some((each) => name.startsWith(each)));
  const observations = await observeBoth(t, stage, chosen);
  const used = new Set<number>();
  for (const { name, cases } of chosen) {
    t.test(`${name}: ${cases.length} cases`, (t) => {
      const differences = cases.flatMap((each) => differencesOf(`${name}: ${each.name}`, observations));
      t.same(differences.filter((difference) => !isAccepted(difference, used)).map(describe), []);
      t.end();
    });
  }
  if (wanted.length > 0) return;
  t.test('every accepted difference is in a section of the documentation', (t) => {
    const page = readFileSync(new URL('../../docs/differences-from-envoy.md', import.meta.url), 'utf8');
    const sections = new Set(acceptedTraceDifferences.map(({ section }) => section));
    t.same(
      [...sections].filter((section) => !page.includes(`\n## ${section}\n`)),
      [],
    );
    t.end();
  });
  t.test('every accepted difference still occurs', (t) => {
    t.same(
      acceptedTraceDifferences.filter((_, index) => !used.has(index)).map(({ reason }) => reason),
      [],
    );
    t.end();
  });
}

function observeBoth(
  t: Test,
  { envoyPath, directory }: Stage,
  chosen: readonly Chapter[],
): Promise<[Observations, Observations]> {
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const proxy of started) proxy.kill();
  });
  const observe = (name: ProxyName, command: readonly string[], isReady: readonly RegExp[]) =>
    observeTraces(t, { name, command, isReady, directory: join(directory, name), started }, chosen);
  return Promise.all([
    observe('envoy', [envoyPath], [/starting main dispatch loop/]),
    observe('outrigger', [process.execPath, OUTRIGGER], [/configuration is served/, /admin interface is listening/]),
  ]);
}

/** What spans say is compared where both have as many. */
function differencesOf(
  place: string,
  [envoy, outrigger]: readonly [Observations, Observations],
): readonly Difference[] {
  const differences = compare(place, envoy.get(place)!, outrigger.get(place)!);
  const haveAsMany = envoy.get(place)!.get('spans') === outrigger.get(place)!.get('spans');
  return haveAsMany ? differences : differences.filter(({ field }) => !field.startsWith('span.'));
}

function isAccepted(difference: Difference, used: Set<number>): boolean {
  const index = acceptedTraceDifferences.findIndex(({ explains }) => explains(difference));
  if (index >= 0) used.add(index);
  return index >= 0;
}

function describe({ place, field, envoy, outrigger }: Difference): string {
  return `${place} | ${field}: Envoy ${JSON.stringify(envoy)}, outrigger ${JSON.stringify(outrigger)}`;
}
