// What a minute of updates did to requests, as a table.
import type { PacedOutcome } from '../load/paced-load.ts';
import type { PeerName } from '../peers/peer.ts';
import { formatSpread, markdownTable, medianOf } from './table.ts';

export type MinuteTurn = {
  readonly quiet: PacedOutcome;
  readonly updates: PacedOutcome;
  readonly updatesSent: number;
  readonly push: PacedOutcome;
  readonly pushSent: number;
};

const MOST_OF_QUIET = 1.3;

export function renderMinute(results: ReadonlyMap<PeerName, readonly MinuteTurn[]>): string {
  const header = ['peer', 'load', 'turns', 'updates', 'requests, all answered', 'p99 us', 'of quiet', 'verdict'];
  const rows = [...results].flatMap(([name, turns]) => [
    [name, 'alone', ...row(turns, ({ quiet }) => [quiet, 0])],
    [name, '100 updates a second', ...row(turns, ({ updates, updatesSent }) => [updates, updatesSent])],
    [name, 'and all clusters pushed anew', ...row(turns, ({ push, pushSent }) => [push, pushSent])],
  ]);
  return markdownTable(header, rows);
}

// The ratio is that of medians over the turns, in each of which the loads ran one after the other.
function row(turns: readonly MinuteTurn[], of: (turn: MinuteTurn) => readonly [PacedOutcome, number]): string[] {
  const outcomes = turns.map((turn) => of(turn)[0]);
  const sent = sum(turns.map((turn) => of(turn)[1]));
  const p99s = outcomes.map(({ p99Micros }) => p99Micros);
  const ratio = medianOf(p99s)! / medianOf(turns.map(({ quiet }) => quiet.p99Micros))!;
  const requests = sum(outcomes.map((outcome) => outcome.requests));
  const verdict = sent === 0 ? '' : ratio <= MOST_OF_QUIET ? 'met' : 'missed';
  return [String(turns.length), String(sent), String(requests), formatSpread(p99s, 0), ratio.toFixed(2), verdict];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
