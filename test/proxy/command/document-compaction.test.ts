import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { ServerState } from '../../../proxy/command/server-state.ts';
import { bootstrapOf } from '../../support/config-fixtures.ts';

const { bootstrap } = bootstrapOf('{}');

t.test('the document is null before there is one, also when it is compacted', (t) => {
  const state = stateOf();
  t.equal(state.document, null);
  state.compactDocument();
  t.equal(state.document, null);
  t.end();
});

t.test('a compacted document is the one that was read', (t) => {
  const isKept = fc.property(fc.jsonValue(), (document) => {
    const state = stateOf();
    state.setBootstrap(bootstrap, document);
    const before = JSON.stringify(state.document);
    state.compactDocument();
    return JSON.stringify(state.document) === before && isDeepStrictEqual(state.document, JSON.parse(before));
  });
  t.doesNotThrow(() => fc.assert(isKept, { numRuns: 300 }));
  t.end();
});

function stateOf(): ServerState {
  return new ServerState({ concurrency: 1, restartEpoch: 0, version: '1.2.3' });
}
