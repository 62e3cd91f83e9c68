import t from 'tap';
import { replay } from '../../../sampler/simulate/replay.ts';
import { type SimulatedRequest, simulatedTrace } from '../../../sampler/simulate/simulated-request.ts';
import type { Strategy } from '../../../sampler/simulate/strategy.ts';

const trace = simulatedTrace('4bf92f3577b34da6a3ce929d0e0e4736');
const request = (service: string, atMs: number, durationMs: number): SimulatedRequest => {
  return { service, atMs, durationMs, route: '/', method: 'GET', status: 200, trace };
};

t.test('arrivals, ends and beats of the clock are shown in the order of time', (t) => {
  const seen: string[] = [];
  const recorder: Strategy = {
    mostHeld: 0,
    spansSent: 0,
    onArrival: ({ service }) => void seen.push(`+${service}`),
    onEnd: ({ service }) => void seen.push(`-${service}`),
    onTick: (nowMs) => void seen.push(String(nowMs)),
    onClose: (nowMs) => void seen.push(`end ${nowMs}`),
  };
  replay([request('long', 0, 250), request('instant', 50, 0), request('short', 150, 20)], [recorder]);
  t.same(seen, ['+long', '+instant', '-instant', '100', '+short', '-short', '200', '-long', 'end 300']);
  t.end();
});
