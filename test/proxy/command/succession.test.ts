import t from 'tap';
import { ServerState } from '../../../proxy/command/server-state.ts';
import { Succession, type SuccessionOptions } from '../../../proxy/command/succession.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';

const wanted = { listener: 'a', address: { kind: 'pipe', path: '/a' }, ipv4Compatible: false } as const;
const settings = {
  epoch: 0,
  baseId: 7,
  socketPath: `@outrigger-succession-${process.pid}`,
  socketMode: 0o600,
  startsWithoutParent: false,
  carriesStatistics: true,
};

function make(given: Partial<SuccessionOptions>) {
  const state = new ServerState({ concurrency: 1, restartEpoch: 0, version: '0' });
  const lines: string[] = [];
  const write = (text: string | object) => void lines.push(String(text));
  const log = { trace: write, debug: write, info: write, warn: write, error: write, critical: write };
  const succession = new Succession({
    settings: null,
    state,
    store: new StatsStore(),
    carriesStatistics: true,
    socketsAt: () => [],
    namedDescriptors: () => [],
    retire: () => undefined,
    exit: (code) => {
      throw new Error(`exit ${code}: ${lines.at(-1)}`);
    },
    log: { ...log, isEnabled: () => true },
    ...given,
  });
  return { succession, state, lines };
}

t.test('without the flags there is nobody before and nobody after', async (t) => {
  const { succession, state, lines } = make({});
  t.same(succession.inherit(wanted), []);
  t.same(succession.inherited, []);
  succession.onServing();
  await succession.adminFree;
  succession.close();
  t.equal(state.ancestry.hotRestartVersion, 'disabled');
  t.same(lines, []);
});

t.test('with them it says what a successor needs, and ends the process where that cannot be', (t) => {
  const { succession, state, lines } = make({ settings });
  t.match(state.ancestry, { hotRestartVersion: /^outrigger\./, generation: 1, parentConnections: 0 });
  t.equal(state.ancestry.firstStartedAtMs, state.startedAtMs);
  t.strictSame(lines, ['hot restart is possible: base id 7, restart epoch 0']);
  t.throws(() => make({ settings }), /exit 1: no hot restart: .* is in use/);
  succession.close();
  t.end();
});
