// How long each proxy has load before anything is counted. V8 compiles for three to four seconds what the first requests run,
// at 30 to 70 us a request of the core that is measured, and a sidecar runs for days.
export const WARM_UP_SECONDS = 5;

// The first connections that end show V8 code which it has not seen run: it drops what it had optimized around it, and compiles
// for 0.2 to 0.5 s of CPU in the load that comes next.
export const WARM_UP_RUNS = 2;
