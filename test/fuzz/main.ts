// `npm run fuzz [-- TARGET…] [--seconds N] [--seed N]`: the property tests without an end. Each target runs for its
// share of the time; a failure is printed with the seed and path that repeat it, and ends the run with status 1.

import { parseArgs } from 'node:util';
import fc, { type IAsyncProperty, type IRawProperty } from 'fast-check';
import t from 'tap';
import { compareRequest, compareResponse } from '../support/codec-comparison.ts';
import { ForwardingComparison } from '../support/forwarding-comparison.ts';
import { cutAt, cuts, messageLike, requestText, responseText, soundMessage } from '../support/http1-arbitraries.ts';

type Property = IRawProperty<unknown> | IAsyncProperty<unknown>;

const method = fc.constantFrom('GET', 'HEAD', 'CONNECT', 'POST');
const exchanges = fc.array(fc.record({ request: soundMessage, response: soundMessage }), {
  minLength: 1,
  maxLength: 6,
});

const targets: Readonly<Record<string, () => Promise<Property>>> = {
  requests: async () =>
    fc.property(messageLike(requestText), cuts, (text, shares) =>
      expectNone(compareRequest(text, cutAt(text, shares))),
    ),
  responses: async () =>
    fc.property(messageLike(responseText), cuts, method, (text, shares, requestMethod) =>
      expectNone(compareResponse(text, cutAt(text, shares), requestMethod)),
    ),
  forwarding: async () => {
    const comparison = await ForwardingComparison.start(t);
    return fc.asyncProperty(exchanges, cuts, async (given, shares) =>
      expectNone(await comparison.difference(given, shares)),
    );
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(targets);
const unknown = names.find((name) => targets[name] === undefined);
if (unknown !== undefined) throw new Error(`no target ${unknown}: there are ${Object.keys(targets).join(', ')}`);
const seed = Number(values.seed);
const milliseconds = (Number(values.seconds) * 1000) / names.length;
// tap ends a test after 30 s.
t.setTimeout(0);
for (const name of names) await run(name, await targets[name]!());

function expectNone(difference: string): void {
  if (difference !== '') throw new Error(difference);
}

async function run(name: string, property: Property): Promise<void> {
  const result = await fc.check(property, {
    seed,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: milliseconds,
  });
  t.comment(`${name}: ${result.numRuns} inputs, seed ${seed}`);
  // Interrupted is how a run without a failure ends.
  if (result.counterexample === null) t.pass(name);
  else
    t.fail(`${name}: --seed ${result.seed}, path ${result.counterexamplePath}`, {
      found: fc.defaultReportMessage(result),
    });
}
