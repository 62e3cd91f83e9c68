// `node test/sampler/acceptance/full.ts`: the acceptance tests with a million requests in each of a hundred runs. Takes
// minutes of one core; SAMPLER_SEEDS, SAMPLER_REQUESTS and SAMPLER_FIRST_SEED change how much and which.

process.env['SAMPLER_REQUESTS'] ??= '1000000';
await import('./estimates.test.ts');
await import('./nesting.test.ts');
await import('./load.test.ts');
