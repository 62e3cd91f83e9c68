// The longest delay of a timer of Node's: 31 bits of milliseconds, 24 days. What is longer is taken for one millisecond, so
// that a limit of an hour too many would be over at once: whoever is given a duration cuts it here.
export const longestTimerMs = 2 ** 31 - 1;
