// The tables of the data path, once more with uWebSockets.js towards clients and undici towards endpoints: what a client and
// an endpoint see must not depend on the engine. Listeners change under workers in threads, and two files start Outrigger:
// there the engine is always both libraries.

import { DATA_PATH_FILES, runByEngine } from '../support/second-engine-runs.ts';

runByEngine('uws+undici', [...DATA_PATH_FILES, 'listener-update', 'listener-filters', 'on-demand']);
