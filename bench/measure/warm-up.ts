// How long each proxy has load before anything is counted. V8 compiles for three to four seconds what the first requests run,
// at 30 to 70 us a request of the core that is measured, and a sidecar runs for days.
export const WARM_UP_SECONDS = 5;
