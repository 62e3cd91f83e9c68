// `npm run fuzz [-- TARGET…] [--seconds N] [--seed N]`: the property tests without an end. Each target runs for its
// share of the time; a failure is printed with the seed and path that repeat it, and ends the run with status 1.

import { parseArgs } from 'node:util';
import fc, { type IAsyncProperty, type IRawProperty } from 'fast-check';
import t from 'tap';
import { ClientHelloReader } from '../../proxy/listener/client-hello.ts';
import { recognizeHttp } from '../../proxy/listener/http-inspector.ts';
import { helloBytes, inRecords } from '../support/client-hellos.ts';
import { compareRequest, compareResponse } from '../support/codec-comparison.ts';
import { ForwardingComparison } from '../support/forwarding-comparison.ts';
import { cutAt, cuts, messageLike, requestText, responseText, soundMessage } from '../support/http1-arbitraries.ts';

type Property = IRawProperty<unknown> | IAsyncProperty<unknown>;

const method = fc.constantFrom('GET', 'HEAD', 'CONNECT', 'POST');
const exchanges = fc.array(fc.record({ request: soundMessage, response: soundMessage }), {
  minLength: 1,
  maxLength: 6,
});

const hello = inRecords(helloBytes({ serverName: 'a.example', protocols: ['istio', 'h2'] }), [3, 40]);
/** A ClientHello with some bytes replaced, cut off or put in between. */
const helloLike = fc
  .array(fc.tuple(fc.nat(hello.length), fc.nat(4), fc.uint8Array({ maxLength: 4 })), { maxLength: 6 })
  .map((edits) => {
    let bytes = hello;
    for (const [at, removed, added] of edits)
      bytes = Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
    return bytes;
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
  'client-hellos': async () =>
    fc.property(helloLike, cuts, (bytes, shares) => expectNone(compareArrival(bytes, shares, helloOutcome()))),
  'first-lines': async () =>
    fc.property(messageLike(requestText), cuts, (text, shares) =>
      expectNone(compareArrival(Buffer.from(text, 'latin1'), shares, recognizeHttp)),
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

type Outcome = (bytes: Buffer, end: number, seen: number) => unknown;

function helloOutcome(): Outcome {
  const reader = new ClientHelloReader(65_536);
  return (bytes, end) => reader.read(bytes, end);
}

/** What is recognised must not depend on the pieces in which it arrives. */
function compareArrival(bytes: Buffer, shares: readonly number[], outcomeOf: Outcome): string {
  const whole = outcomeOf(bytes, bytes.length, 0);
  let outcome: unknown = 'incomplete';
  let seen = 0;
  for (const piece of cutAt(bytes.toString('latin1'), shares)) {
    const end = seen + piece.length;
    if (outcome === 'incomplete' && end > seen) outcome = outcomeOf(bytes, end, seen);
    seen = end;
  }
  const [one, other] = [JSON.stringify(whole), JSON.stringify(outcome)];
  return one === other ? '' : `at once ${one}, in pieces ${other}`;
}

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
