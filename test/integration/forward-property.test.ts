// Forwarding is the identity on messages: for any sound requests and responses, pipelined and cut anywhere, what arrives
// at either end, read by the reference parser, is what was sent, but for what belongs to one hop.

import fc from 'fast-check';
import t from 'tap';
import { ForwardingComparison } from '../support/forwarding-comparison.ts';
import { cuts, soundMessage } from '../support/http1-arbitraries.ts';

t.test('what is forwarded is the same message, both ways', async (t) => {
  const comparison = await ForwardingComparison.start(t);
  const exchanges = fc.array(fc.record({ request: soundMessage, response: soundMessage }), {
    minLength: 1,
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(exchanges, cuts, async (given, shares) => {
      const difference = await comparison.difference(given, shares);
      if (difference !== '') throw new Error(difference);
    }),
    { numRuns: 300 },
  );
  t.pass('no difference');
});
