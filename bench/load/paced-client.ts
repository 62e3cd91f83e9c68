// The process around paced-load.ts: options as one JSON argument, outcome as JSON on standard output. A process of its
// own so that it can be pinned and given its scheduling class.
import { type PacedOptions, runPacedLoad } from './paced-load.ts';

const outcome = await runPacedLoad(JSON.parse(process.argv[2]!) as PacedOptions);
process.stdout.write(JSON.stringify(outcome));
