// The application of the simulation: services with routes, and which routes each calls. Made of a seed.
//
// How often a trace begins at a route follows Zipf's law, as routes of real applications do: a few are called all the
// time, many hardly ever. One of the services is called `payment`, for which the shipped settings have a rule.

import type { Random } from './seeded-random.ts';

export interface SimulatedRoute {
  readonly service: string;
  readonly route: string;
  readonly method: string;
  /** Half of the requests take less, without those that this one makes in turn. */
  readonly medianMs: number;
  /** Called one after the other, each only by routes before it: there are no circles. */
  readonly calls: readonly SimulatedRoute[];
  /** Share of the traces that begin here. */
  readonly share: number;
}

const names = [
  'gateway',
  'catalog',
  'cart',
  'checkout',
  'payment',
  'search',
  'reviews',
  'shipping',
  'accounts',
  'offers',
];
const words = ['items', 'orders', 'detail', 'status', 'history', 'health', 'prices', 'export'];
const routesOfService = 6;
const zipfExponent = 1.1;
/** With one on average, a trace grows with the number of services and no faster. */
const maxCalls = 2;

/** Routes of `services` services; the shares of all are 1 together. At least 2 services. */
export function serviceGraph(services: number, random: Random): readonly SimulatedRoute[] {
  const total = services * routesOfService;
  const popularity = shuffled(zipfShares(total), random);
  const routes: SimulatedRoute[] = [];
  // The last service first: a route calls only those of later services, which are there already.
  for (let service = services - 1; service >= 0; service--) {
    const later = [...routes];
    for (let route = 0; route < routesOfService; route++) {
      routes.push({
        service: serviceName(service, services),
        route: `/${words[route % words.length]}`,
        method: route % 3 === 2 ? 'POST' : 'GET',
        medianMs: 2 + 30 * random() ** 2,
        calls: callsAmong(later, random),
        share: popularity[routes.length]!,
      });
    }
  }
  return routes;
}

/** There is a payment service among any two or more. */
function serviceName(index: number, services: number): string {
  const payment = names.indexOf('payment');
  if (services <= payment && index === services - 1) return 'payment';
  return names[index] ?? `service-${index}`;
}

function zipfShares(count: number): readonly number[] {
  const weights = Array.from({ length: count }, (_, rank) => 1 / (rank + 1) ** zipfExponent);
  const sum = weights.reduce((left, right) => left + right, 0);
  return weights.map((weight) => weight / sum);
}

function callsAmong(routes: readonly SimulatedRoute[], random: Random): readonly SimulatedRoute[] {
  if (routes.length === 0) return [];
  return Array.from(
    { length: Math.floor(random() * (maxCalls + 1)) },
    () => routes[Math.floor(random() * routes.length)]!,
  );
}

function shuffled(values: readonly number[], random: Random): readonly number[] {
  const result = [...values];
  for (let index = result.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [result[index], result[other]] = [result[other]!, result[index]!];
  }
  return result;
}
