// Did a process grow under a steady load? Stated before the run: the first fifth is warm-up; of the rest, the medians
// of the first and of the last third are compared.
import { spreadOf } from './spread.ts';

// Medians of a garbage-collected heap move by about this much without any leak.
export const MOST_RSS_GROWTH_SHARE = 0.02;
// Descriptors beside the upstream pool, which fills and empties with the load: connections that were being closed.
export const MOST_FD_GROWTH = 16;

const WARM_UP_SHARE = 0.2;
const LEAST_SAMPLES = 6;

export type ResourceSample = {
  readonly rssBytes: number;
  // Without those of upstream connections.
  readonly fileDescriptors: number;
  readonly upstreamConnections: number;
};

export type GrowthVerdict = {
  readonly rssGrowthShare: number;
  readonly fileDescriptorGrowth: number;
  readonly mostUpstreamConnections: number;
  readonly grew: boolean;
};

// mostConnections: what the load ever had open at once; a pool that holds more has lost track of some.
// Throws an Error when there are too few samples to say anything.
export function judgeGrowth(samples: readonly ResourceSample[], mostConnections: number): GrowthVerdict {
  const steady = samples.slice(Math.ceil(samples.length * WARM_UP_SHARE));
  if (steady.length < LEAST_SAMPLES) throw new Error(`${samples.length} samples are too few for a verdict on growth`);
  const third = Math.floor(steady.length / 3);
  const rss = medians(steady, third, (sample) => sample.rssBytes);
  const descriptors = medians(steady, third, (sample) => sample.fileDescriptors);
  const rssGrowthShare = rss.late / rss.early - 1;
  const fileDescriptorGrowth = descriptors.late - descriptors.early;
  const mostUpstreamConnections = Math.max(...samples.map((sample) => sample.upstreamConnections));
  const grew =
    rssGrowthShare > MOST_RSS_GROWTH_SHARE ||
    fileDescriptorGrowth > MOST_FD_GROWTH ||
    mostUpstreamConnections > mostConnections;
  return { rssGrowthShare, fileDescriptorGrowth, mostUpstreamConnections, grew };
}

function medians(
  samples: readonly ResourceSample[],
  third: number,
  pick: (sample: ResourceSample) => number,
): { early: number; late: number } {
  return {
    early: spreadOf(samples.slice(0, third).map(pick)).median,
    late: spreadOf(samples.slice(-third).map(pick)).median,
  };
}
