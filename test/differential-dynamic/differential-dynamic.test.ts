// One control plane leads Envoy and outrigger through the same changes; after each, both answer the same requests, and
// show the same of clusters, listeners, resources and statistics. A difference is a mistake, or an entry of
// accepted-differences.ts.
// `node test/differential-dynamic/differential-dynamic.test.ts TEXT` runs the sequences with this in their name.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { findEnvoy } from '../differential/envoy-binary.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import { acceptedDifferences } from './accepted-differences.ts';
import { compareSequence, type Difference } from './dynamic-comparison.ts';
import { type Stage, sequencesOn } from './sequences.ts';

const timeoutMs = 220_000;
t.setTimeout(timeoutMs);

// Of this process alone, so that test runs beside each other do not meet.
const network = `127.${100 + (process.pid & 63)}.${(process.pid >> 6) & 255}`;
const addresses = { envoy: `${network}.1`, outrigger: `${network}.2` };

const wanted = process.argv[2] ?? '';
const envoy = findEnvoy();

if ('missing' in envoy) t.pass('the comparison with Envoy under a control plane', { skip: envoy.missing });
else await compareAll(envoy.path);

async function compareAll(envoyPath: string): Promise<void> {
  const stage = await setStage(t);
  const used = new Set<number>();
  const isAccepted = (difference: Difference): boolean => {
    const index = acceptedDifferences.findIndex(({ explains }) => explains(difference));
    if (index >= 0) used.add(index);
    return index >= 0;
  };
  for (const sequence of sequencesOn(stage).filter(({ name }) => name.includes(wanted))) {
    for (const protocol of ['DELTA_GRPC', 'GRPC'] as const) {
      t.test(`${sequence.name}, ${protocol}`, { timeout: timeoutMs }, async (t) => {
        // A path of a socket has a hundred bytes.
        const directory = mkdtempSync(join(tmpdir(), 'dynamic-'));
        t.teardown(() => rmSync(directory, { recursive: true }));
        const differences = await compareSequence(sequence, { envoyPath, directory, protocol, addresses, isAccepted });
        t.equal(differences.map(describe).join('\n'), '');
      });
    }
  }
  if (wanted !== '') return;
  t.test('what is accepted has its section in the documentation', (t) => {
    const page = readFileSync(new URL('../../docs/differences-from-envoy.md', import.meta.url), 'utf8');
    t.match(page, /^## Changes of the configuration$/m);
    t.end();
  });
  t.test('every accepted difference still occurs', (t) => {
    const unused = acceptedDifferences.filter((_, index) => !used.has(index));
    t.same(
      unused.map(({ reason }) => reason),
      [],
    );
    t.end();
  });
}

function describe({ step, field, envoy, outrigger }: Difference): string {
  return `${step} | ${field}: Envoy ${JSON.stringify(envoy)}, outrigger ${JSON.stringify(outrigger)}`;
}

async function setStage(t: Test): Promise<Stage> {
  const [first, second] = [await startNamedOrigin(t, 'first'), await startNamedOrigin(t, 'second')];
  const ports = (await freePorts(3, addresses.envoy)) as [number, number, number];
  const taken = await startNamedOrigin(t, 'somebody else', addresses.envoy);
  await startNamedOrigin(t, 'somebody else', addresses.outrigger, taken);
  return { first, second, ports, taken };
}
