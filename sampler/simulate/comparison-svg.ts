// A comparison as a picture of its own: how far the estimates of each strategy are off by service, how many errors each kept,
// and what it kept from second to second. It follows the reader's light or dark scheme, and tells strategies apart by
// shape as well as by color.

import type { Compared, Comparison } from './comparison.ts';
import { count, percentOf, signedPercent } from './figures-text.ts';
import { element, line, words } from './svg-element.ts';
import { type Estimate, relativeError } from './tally.ts';
import { wholeSeconds } from './truth.ts';

const title = 'What is kept, and what can be counted from it';
const width = 960;
const margin = 24;
const nameWidth = 132;
const rowHeight = 54;
const lane = 11;
const left = margin + nameWidth;
/** With room for half of the last label of an axis. */
const plotWidth = width - left - margin - 12;

const styleSheet = `
  svg { --ground: #ffffff; --ink: #1c2530; --quiet: #5b6775; --grid: #dfe4ea;
    --s0: #1259c3; --s1: #b4540a; --s2: #9b2d86; --s3: #0b7a5c; }
  @media (prefers-color-scheme: dark) { svg { --ground: #12171d; --ink: #e8edf2; --quiet: #9aa7b4; --grid: #2c353f;
    --s0: #7db0ff; --s1: #ffa45c; --s2: #ee8ddb; --s3: #57d3ac; } }
  text { font: 13px system-ui, sans-serif; fill: var(--ink); }
  .title { font-size: 18px; font-weight: 600; } .heading { font-size: 14px; font-weight: 600; }
  .quiet { fill: var(--quiet); } .end { text-anchor: end; fill: var(--quiet); } .middle { text-anchor: middle; fill: var(--quiet); }
  .ground { fill: var(--ground); } .grid { stroke: var(--grid); } .axis { stroke: var(--quiet); }
  .off { font-size: 11px; stroke: var(--ground); stroke-width: 4px; paint-order: stroke; } .off.left { text-anchor: end; }
  ${[0, 1, 2, 3].map((index) => `.f${index} { fill: var(--s${index}); } .l${index} { stroke: var(--s${index}); stroke-width: 1.8; fill: none; }`).join('\n  ')}
`;

/** A whole document. */
export function comparisonSvg(comparison: Comparison): string {
  const { truth } = comparison;
  const errorsAt = 108;
  const keptAt = errorsAt + 60 + truth.services.length * rowHeight;
  const timeAt = keptAt + 60 + comparison.strategies.length * 26;
  const height = timeAt + 250;
  const content = [
    element('title', {}, title),
    element('style', {}, styleSheet),
    element('rect', { class: 'ground', width, height }),
    heading(comparison),
    legend(comparison.strategies),
    estimateErrors(comparison, errorsAt),
    errorsKept(comparison.strategies, keptAt),
    keptBySecond(comparison, timeAt),
  ];
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return `${element('svg', { xmlns: 'http://www.w3.org/2000/svg', ...size, role: 'img' }, content.join('\n'))}\n`;
}

function heading({ truth, settings }: Comparison): string {
  const seconds = wholeSeconds(truth);
  const load = `${count(truth.requests)} requests of ${count(truth.traces.size)} traces in ${count(seconds)} s`;
  const text = `${load}, ${count(truth.errors)} errors; budget ${settings.budget.tracesPerSecond} traces/s a sidecar`;
  return words(title, { x: margin, y: 36 }, 'title') + words(text, { x: margin, y: 58 }, 'quiet');
}

function legend(strategies: readonly Compared[]): string {
  return strategies
    .map(({ name }, index) => {
      const x = margin + index * 190;
      return marker(index, x + 6, 80) + words(name, { x: x + 18, y: 84.5 });
    })
    .join('');
}

/** Each strategy's own shape around a place. */
function marker(index: number, x: number, y: number): string {
  const style = `f${index}`;
  const shapes = [
    element('circle', { class: style, cx: x, cy: y, r: 4.5 }),
    element('rect', { class: style, x: x - 4, y: y - 4, width: 8, height: 8 }),
    element('path', { class: style, d: `M${x - 5} ${y + 4}h10l-5 -9z` }),
    element('path', { class: style, d: `M${x} ${y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z` }),
  ];
  return shapes[index]!;
}

/** What is further off than this stands at the edge, with its figure. */
const errorRange = 0.5;

function estimateErrors({ truth, strategies }: Comparison, top: number): string {
  const bottom = top + 40 + truth.services.length * rowHeight;
  const parts = [
    words('Error of the estimated count of requests, with 3 sigma', { x: margin, y: top + 12 }, 'heading'),
  ];
  for (const tick of [-0.5, -0.25, 0, 0.25, 0.5]) {
    const x = errorX(tick);
    parts.push(line(x, top + 34, { x2: x, y2: bottom, class: tick === 0 ? 'axis' : 'grid' }));
    parts.push(words(tick === 0 ? '0' : signedPercent(tick, 0), { x, y: top + 29 }, 'middle'));
  }
  truth.services.forEach(({ service, requests }, row) => {
    const y = top + 40 + row * rowHeight;
    parts.push(words(service, { x: margin, y: y + 18 }), words(count(requests), { x: margin, y: y + 33 }, 'quiet'));
    strategies.forEach(({ services }, index) => {
      parts.push(errorMark(services[row]!, index, y + 8 + index * lane));
    });
  });
  return parts.join('\n');
}

function errorMark(estimate: Estimate, index: number, y: number): string {
  const error = relativeError(estimate);
  const bound = (3 * estimate.sigma) / estimate.requests;
  const x = errorX(error);
  const whisker = line(errorX(error - bound), y, { x2: errorX(error + bound), y2: y, class: `l${index}` });
  const isOff = Math.abs(error) > errorRange;
  const [at, style] = error < 0 ? [x + 10, 'off'] : [x - 10, 'off left'];
  return whisker + marker(index, x, y) + (isOff ? words(signedPercent(error), { x: at, y: y + 4 }, style) : '');
}

function errorX(error: number): number {
  const clamped = Math.min(Math.max(error, -errorRange), errorRange);
  return left + 8 + ((clamped + errorRange) / (2 * errorRange)) * (plotWidth - 16);
}

function errorsKept(strategies: readonly Compared[], top: number): string {
  const widest = plotWidth - 250;
  const bars = strategies.map(({ name, total, spansSent }, index) => {
    const y = top + 28 + index * 26;
    const share = total.errors === 0 ? 0 : total.errorsKept / total.errors;
    const figures = `${percentOf(total.errorsKept, total.errors)} of ${count(total.errors)}, ${count(spansSent)} spans sent`;
    const bar = element('rect', { class: `f${index}`, x: left, y, width: Math.max(share * widest, 1), height: 14 });
    return (
      words(name, { x: margin, y: y + 12 }) + bar + words(figures, { x: left + share * widest + 8, y: y + 12 }, 'quiet')
    );
  });
  return words('Errors kept', { x: margin, y: top + 12 }, 'heading') + bars.join('\n');
}

const timeHeight = 160;

function keptBySecond({ truth, strategies }: Comparison, top: number): string {
  const seconds = wholeSeconds(truth);
  const most = Math.max(1, ...strategies.flatMap(({ tracesBySecond }) => tracesBySecond.slice(0, seconds)));
  const base = top + 36 + timeHeight;
  const x = (second: number) => left + (second / seconds) * plotWidth;
  const y = (value: number) => base - (value / most) * timeHeight;
  const parts = [words('Traces kept in each second', { x: margin, y: top + 12 }, 'heading')];
  for (const share of [0, 0.5, 1]) {
    parts.push(
      line(left, y(most * share), { x2: left + plotWidth, y2: y(most * share), class: share === 0 ? 'axis' : 'grid' }),
    );
    parts.push(words(count(most * share), { x: left - 8, y: y(most * share) + 4 }, 'end'));
  }
  for (const share of [0, 0.5, 1])
    parts.push(words(`${count(seconds * share)} s`, { x: x(seconds * share), y: base + 18 }, 'middle'));
  for (let index = strategies.length - 1; index >= 0; index--) {
    const points = Array.from({ length: seconds }, (_, second) => {
      return `${x(second + 0.5).toFixed(1)},${y(strategies[index]!.tracesBySecond[second] ?? 0).toFixed(1)}`;
    });
    parts.push(element('polyline', { class: `l${index}`, points: points.join(' ') }));
  }
  return parts.join('\n');
}
