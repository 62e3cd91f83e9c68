// A comparison for the terminal: a table for each strategy, and a plot of how far each one's estimates are off.

import type { SamplingSettings } from '../settings.ts';
import type { Compared, Comparison } from './comparison.ts';
import { bytesText, count, percentOf, signedPercent } from './figures-text.ts';
import { type Estimate, relativeError } from './tally.ts';
import { wholeSeconds } from './truth.ts';

export function comparisonText(comparison: Comparison): string {
  const { truth, strategies, settings } = comparison;
  const seconds = wholeSeconds(truth);
  const head =
    `${count(truth.requests)} requests of ${count(truth.traces.size)} traces in ${count(seconds)} s, ` +
    `${count(truth.errors)} of them errors; budget ${settings.budget.tracesPerSecond} traces/s a sidecar\n`;
  const tables = strategies.map((strategy) => strategyText(strategy, seconds));
  return [head, ...tables, errorPlot(comparison), fuseText(settings)].join('\n');
}

/** So that nobody takes a fuse for a fault. */
function fuseText({ errors }: SamplingSettings): string {
  if (!errors.keep) return 'outrigger keeps no errors by these settings.\n';
  const cap = `at most ${errors.maxPerSecond} errors a second at each sidecar`;
  return `outrigger keeps all errors, but ${cap}; what it keeps then still counts them all.\n`;
}

const columns = ['service', 'requests', 'kept', 'estimated', 'error', '3 sigma', 'errors', 'kept', 'estimated'];

function strategyText(strategy: Compared, seconds: number): string {
  const rows = [columns, ...[...strategy.services, strategy.total].map(cells)];
  const sent = `${count(strategy.spansSent)} spans sent, ${count(strategy.tracesKept / seconds)} traces/s kept`;
  const whole = `${percentOf(strategy.wholeTraces, strategy.tracesKept)} of them whole`;
  const held = `at most ${bytesText(strategy.mostHeldBytes)} held`;
  return `${strategy.name}: ${sent}, ${whole}, ${held}\n${aligned(rows)}\n`;
}

function cells(estimate: Estimate): readonly string[] {
  const { service, requests, kept, estimated, sigma, errors, errorsKept, errorsEstimated } = estimate;
  const error = signedPercent(relativeError(estimate));
  const bound = `±${((300 * sigma) / requests).toFixed(1)} %`;
  const ofErrors = [count(errors), percentOf(errorsKept, errors), count(errorsEstimated)];
  return [service, count(requests), count(kept), count(estimated), error, bound, ...ofErrors];
}

/** The first column to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ');
  return rows.map((row) => `  ${line(row)}`).join('\n');
}

const plotWidth = 61;
const middle = (plotWidth - 1) / 2;
/** What is further off stands at the edge. */
const plotRange = 0.5;
const marks = ['●', 'h', 'b', 't'];

function errorPlot({ truth, strategies }: Comparison): string {
  const nameWidth = Math.max(...truth.services.map(({ service }) => service.length));
  const scale = `-${plotRange * 100} %${' '.repeat(middle - 5)}0${' '.repeat(middle - 5)}+${plotRange * 100} %`;
  const lines = truth.services.map(({ service }, row) => {
    const cells: string[] = Array.from({ length: plotWidth }, (_, at) => (at === middle ? '┊' : '·'));
    // Ours last, so that it is seen where several stand at one place.
    for (let index = strategies.length - 1; index >= 0; index--) {
      cells[placeOf(relativeError(strategies[index]!.services[row]!))] = marks[index]!;
    }
    return `  ${service.padEnd(nameWidth)}  ${cells.join('')}`;
  });
  const legend = strategies.map(({ name }, index) => `${marks[index]} ${name}`).join('   ');
  const title = `error of the estimated count   ${legend}`;
  return `${title}\n  ${' '.repeat(nameWidth)}  ${scale}\n${lines.join('\n')}\n`;
}

function placeOf(error: number): number {
  const clamped = Math.min(Math.max(error, -plotRange), plotRange);
  return middle + Math.round((clamped / plotRange) * middle);
}
