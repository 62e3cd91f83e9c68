import t from 'tap';
import type { Slot } from '../../../bench/measure/measured-load.ts';
import type { PeerName } from '../../../bench/peers/peer.ts';
import { judgeTlsGoals, renderTlsResults, type TlsMeasure, type TlsReport } from '../../../bench/report/tls-results.ts';

/** CPU a request in microseconds, a round each. */
function measure(micros: Partial<Record<PeerName, readonly number[]>>): TlsMeasure {
  const slot = (each: number): Slot => ({
    requests: 1000,
    bytes: 0,
    seconds: 1,
    userMs: each,
    systemMs: 0,
    stealShare: 0,
    strangerShare: 0,
    proxyCoreBusy: 1,
    loadCoreBusy: 1,
  });
  const slots = Object.entries(micros).map(([name, rounds]) => [name as PeerName, rounds.map(slot)] as const);
  return { slots: new Map(slots), mostStealShare: 0 };
}

const report: TlsReport = {
  machine: [],
  terminating: measure({ envoy: [100, 100, 100], nginx: [40, 40, 40], outrigger: [40, 42, 99] }),
  pair: measure({ envoy: [200], outrigger: [100] }),
  handshakes: measure({ envoy: [1000], outrigger: [800] }),
  rssBytes: new Map([
    ['envoy', 60],
    ['outrigger', 90],
  ]),
};

t.test('goals are judged round by round, by the middle one', (t) => {
  t.same(
    judgeTlsGoals(report).map(({ measured, verdict }) => `${measured} ${verdict}`),
    ['0.42 met', '1.05 met', '0.50 missed', '1.25 met', '1.50 missed'],
  );
  t.match(renderTlsResults(report), /\| mutual TLS pair, .* \| at most 0\.45 \| 0\.50 \| missed \|/);
  t.end();
});

t.test('who took no part is not judged', (t) => {
  const alone = { ...report, terminating: measure({ outrigger: [40] }), rssBytes: new Map() };
  const verdicts = judgeTlsGoals(alone).map(({ verdict }) => verdict);
  t.same(verdicts, [
    'not measured in this run',
    'not measured in this run',
    'missed',
    'met',
    'not measured in this run',
  ]);
  t.end();
});
