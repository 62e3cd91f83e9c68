// The tables of the data path with uWebSockets.js towards clients and our own connections to endpoints: what fails here as
// well as with both libraries (second-engine.test.ts) is no fault of undici's.

import { DATA_PATH_FILES, runByEngine } from '../support/second-engine-runs.ts';

runByEngine('uws', DATA_PATH_FILES);
