// The tables of the data path, once more with uWebSockets.js towards clients and undici towards endpoints: what a client and
// an endpoint see must not depend on the engine. Two of the files start Outrigger as a process.

import { DATA_PATH_FILES, runByEngine } from '../support/second-engine-runs.ts';

runByEngine('uws+undici', [...DATA_PATH_FILES, 'listener-filters', 'on-demand']);
