// The simulator's command line.

import { parseArgs } from 'node:util';

export const usage = `usage:
  npm run sampler -- simulate --trace FILE [--settings FILE] [--budget N] [--svg FILE]
  npm run sampler -- simulate --rate N [--duration SECONDS] [--services N] [--seed N] [--settings FILE] [--budget N] [--svg FILE]

  --trace FILE      requests of a real system, JSON lines of at, service, route, method, status, durationMs, traceId
  --rate N          traces that begin in a second, made up
  --duration N      seconds; 60
  --services N      2 to 50; 8
  --seed N          the same seed makes the same requests; 1
  --settings FILE   as of outrigger --sampling-config; the shipped settings without it
  --budget N        traces a second that a sidecar may keep, in place of the settings'
  --svg FILE        the comparison as a picture, too
`;

export interface SimulateCommand {
  readonly source:
    | { readonly kind: 'file'; readonly path: string }
    | {
        readonly kind: 'made';
        readonly tracesPerSecond: number;
        readonly durationMs: number;
        readonly services: number;
        readonly seed: number;
      };
  readonly settingsPath?: string;
  readonly tracesPerSecond?: number;
  readonly svgPath?: string;
}

/** A command line that cannot be used. */
export class UsageError extends Error {}

/** Reads the arguments behind `npm run sampler --`. Throws UsageError. */
export function parseCommand(args: readonly string[]): SimulateCommand {
  const { values, positionals } = parsed(args);
  if (positionals.length !== 1 || positionals[0] !== 'simulate') throw new UsageError('the one command is simulate');
  const { settings, budget, svg } = values;
  return {
    source: sourceOf(values),
    ...(settings !== undefined && { settingsPath: settings }),
    ...(budget !== undefined && { tracesPerSecond: number('budget', budget, { least: 1, most: 1e6 }) }),
    ...(svg !== undefined && { svgPath: svg }),
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const options = {
    trace: text,
    rate: text,
    duration: text,
    services: text,
    seed: text,
    settings: text,
    budget: text,
    svg: text,
  };
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    // The only thing that it throws: an argument that is not there, or that lacks its value.
    throw new UsageError((error as Error).message);
  }
}

const ofMade = ['duration', 'services', 'seed'] as const;

function sourceOf(values: ReturnType<typeof parsed>['values']): SimulateCommand['source'] {
  const { trace, rate, duration = '60', services = '8', seed = '1' } = values;
  if (trace !== undefined) {
    const stray = ['rate' as const, ...ofMade].find((name) => values[name] !== undefined);
    if (stray !== undefined) throw new UsageError(`--${stray} says how requests are made up; --trace brings its own`);
    return { kind: 'file', path: trace };
  }
  if (rate === undefined) throw new UsageError('--trace or --rate is needed');
  return {
    kind: 'made',
    tracesPerSecond: number('rate', rate, { least: 0.1, most: 100_000 }),
    durationMs: number('duration', duration, { least: 1, most: 86_400 }) * 1000,
    services: whole('services', services, { least: 2, most: 50 }),
    seed: whole('seed', seed, { least: 0, most: 2 ** 32 - 1 }),
  };
}

interface Range {
  readonly least: number;
  readonly most: number;
}

function number(name: string, text: string, { least, most }: Range): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= least && value <= most) return value;
  throw new UsageError(`--${name} ${text}: a number from ${least} to ${most} is needed`);
}

function whole(name: string, text: string, range: Range): number {
  const value = number(name, text, range);
  if (!Number.isInteger(value)) throw new UsageError(`--${name} ${text}: a whole number is needed`);
  return value;
}
