// Sources of time and chance are given, never read inside logic, so that every decision can be replayed in a test.

/** A uniform number in [0, 1). */
export type Random = () => number;
