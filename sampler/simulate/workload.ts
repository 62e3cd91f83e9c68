// Requests as an application under load gives them, in order of their arrival: traces begin at random (Poisson), their routes
// follow the service graph, a few requests are slow, and now and then a service fails while its callers try again, which
// is when sampling matters.

import { exponential, logNormal, type Random, randomHex, seededRandom } from './seeded-random.ts';
import { type SimulatedRoute, serviceGraph } from './service-graph.ts';
import { type SimulatedRequest, type SimulatedTrace, simulatedTrace } from './simulated-request.ts';

export interface WorkloadOptions {
  /** Traces that begin in a second, bursts aside. */
  readonly tracesPerSecond: number;
  readonly durationMs: number;
  /** At least 2. */
  readonly services: number;
  readonly seed: number;
}

/** While it lasts, a service fails often and begins more traces: callers try again. */
interface Burst {
  readonly service: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

const errorShare = 0.001;
const burst = { everyMs: 20_000, lastsMs: 4_000, errorShare: 0.1, addedShare: 1 };
const slow = { share: 0.003, factor: 60 };
const durationSpread = 0.5;
/** A caller has a fallback for the rest. */
const errorPassedOn = 0.7;

/** The requests of all sidecars, in order of arrival. */
export function workload(options: WorkloadOptions): readonly SimulatedRequest[] {
  const random = seededRandom(options.seed);
  const routes = serviceGraph(options.services, random);
  const bursts = burstsOf(routes, options.durationMs, random);
  const requests: SimulatedRequest[] = [];
  const mostPerMs = (options.tracesPerSecond * (1 + burst.addedShare)) / 1000;
  for (let atMs = 0; ; ) {
    // Drawn at the highest rate there is; what the present one is below it is left out (thinning).
    atMs += exponential(random, mostPerMs);
    if (atMs >= options.durationMs) break;
    const draw = random() * (1 + burst.addedShare);
    const failing = bursts.find(({ fromMs, untilMs }) => atMs >= fromMs && atMs < untilMs);
    if (draw >= 1 && failing === undefined) continue;
    const candidates = draw < 1 ? routes : routes.filter(({ service }) => service === failing!.service);
    const call = { requests, bursts, trace: simulatedTrace(randomHex(random, 32)), random };
    makeRequest(call, chosen(candidates, random), atMs);
  }
  return requests.sort((left, right) => left.atMs - right.atMs);
}

interface Call {
  readonly requests: SimulatedRequest[];
  readonly bursts: readonly Burst[];
  readonly trace: SimulatedTrace;
  readonly random: Random;
}

/** With all requests that it makes in turn. */
function makeRequest(call: Call, route: SimulatedRoute, atMs: number): SimulatedRequest {
  const { requests, bursts, trace, random } = call;
  const { service } = route;
  const own = logNormal(random, route.medianMs, durationSpread) * (random() < slow.share ? slow.factor : 1);
  let endMs = atMs + own / 2;
  let fails = random() < (isFailing(bursts, service, atMs) ? burst.errorShare : errorShare);
  for (const callee of route.calls) {
    const made = makeRequest(call, callee, endMs);
    endMs += made.durationMs;
    if (made.status >= 500 && random() < errorPassedOn) fails = true;
  }
  const status = fails ? 503 : 200;
  const durationMs = endMs + own / 2 - atMs;
  const request = { atMs, service, route: route.route, method: route.method, status, durationMs, trace };
  requests.push(request);
  return request;
}

function isFailing(bursts: readonly Burst[], service: string, atMs: number): boolean {
  return bursts.some((each) => each.service === service && atMs >= each.fromMs && atMs < each.untilMs);
}

/** One after the other, never two at once; the first when a third of its time is over. */
function burstsOf(routes: readonly SimulatedRoute[], durationMs: number, random: Random): readonly Burst[] {
  const services = [...new Set(routes.map(({ service }) => service))];
  const bursts: Burst[] = [];
  for (let fromMs = burst.everyMs / 3; fromMs < durationMs; fromMs += burst.everyMs) {
    const service = services[Math.floor(random() * services.length)]!;
    bursts.push({ service, fromMs, untilMs: fromMs + burst.lastsMs });
  }
  return bursts;
}

function chosen(routes: readonly SimulatedRoute[], random: Random): SimulatedRoute {
  const total = routes.reduce((sum, { share }) => sum + share, 0);
  let left = random() * total;
  for (const route of routes) {
    left -= route.share;
    if (left < 0) return route;
  }
  return routes[routes.length - 1]!;
}
