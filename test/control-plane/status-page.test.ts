import t from 'tap';
import { type StatusSources, statusOf } from '../../control-plane/status-page.ts';
import { serviceText, snapshotOfText, typeUrls } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

const nobody: StatusSources = {
  folder: 'd',
  files: () => [],
  problems: () => [],
  snapshots: () => new Map(),
  groupFor: () => '',
  clients: () => [],
  refusals: () => [],
  upstreams: () => [],
};

t.test('nothing is not ready', async (t) => {
  t.same(statusOf(nobody), {
    ready: false,
    folder: 'd',
    files: [],
    problems: [],
    groups: [],
    upstreams: [],
    clients: [],
    refusals: [],
  });
});

t.test('times and types are for people', async (t) => {
  const snapshot = snapshotOfText(serviceText('a'));
  const refusal = { typeUrl: typeUrls['cds']!, version: 'v', text: 'no', nodeId: 'n', peer: 'p', atMs: 0 };
  const status = statusOf({ ...nobody, snapshots: () => new Map([['', snapshot]]), refusals: () => [refusal] });
  t.match(JSON.parse(JSON.stringify(status)), {
    groups: onlyItems({ nodes: '*', types: { cds: { count: 1 }, eds: { count: 1 } } }),
    refusals: onlyItems({
      type: 'cds',
      version: 'v',
      text: 'no',
      node: 'n',
      peer: 'p',
      at: '1970-01-01T00:00:00.000Z',
    }),
  });
});
