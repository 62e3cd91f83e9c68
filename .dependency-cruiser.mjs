// Who may import whom (`npm run imports`; ARCHITECTURE.md, folders and import direction). Types count as imports: a type
// borrowed from a vendor ties a folder to it as firmly as a call.

// Our folders, in the order in which they may know of each other. What is not named in `mayImport` is forbidden.
const FOLDERS = [
  { name: 'config', mayImport: [], comment: 'The vocabulary everybody speaks depends on nobody.' },
  { name: 'native', mayImport: ['config'], comment: 'Foreign calls know addresses, and nothing of what they are for.' },
  {
    name: 'xds',
    mayImport: ['config'],
    comment: 'The wire is translated into the vocabulary; the proxy is not its business.',
  },
  {
    name: 'control-plane',
    mayImport: ['config', 'xds'],
    comment: 'A program of its own that speaks the same wire; nothing of it runs in a data plane.',
  },
  {
    name: 'sampler',
    mayImport: [],
    except: '^sampler/simulate/main\\.ts$',
    comment: 'Sampling decisions are pure arithmetic, usable outside of a proxy.',
  },
  {
    name: 'bpf',
    mayImport: ['config', 'native'],
    except: '^bpf/main\\.ts$',
    comment: 'The loader calls libbpf through native/ and serves any user of sockets.',
  },
  {
    name: 'proxy',
    mayImport: ['config', 'native', 'sampler', 'bpf'],
    except: '^proxy/(main\\.ts|command/)',
    comment: 'The data plane sees domain types, never wire types: only the composition root joins it to xds/.',
  },
];

const OURS = '^(config|native|xds|control-plane|sampler|bpf|proxy|bench|test|build|demo)/';

const folderRules = FOLDERS.map(({ name, mayImport, except, comment }) => ({
  name: `${name}-direction`,
  comment,
  severity: 'error',
  from: { path: `^${name}/`, ...(except && { pathNot: except }) },
  to: { path: OURS, pathNot: `^(${[name, ...mayImport].join('|')})/` },
}));

// A vendor library is imported in one place, so that replacing it, or auditing what it is given, is reading one folder.
const VENDORS = [
  { library: 'koffi', home: '^native/', comment: 'Every foreign call and every pointer in one small folder.' },
  { library: 'protobufjs', home: '^xds/', comment: 'Only xds/ knows wire messages.' },
  {
    library: '@grpc/grpc-js',
    home: '^(xds/(client|identity)|control-plane|proxy/(export|sidecar))/',
    comment: 'Calls of our own only: requests of others never pass through a library.',
  },
  {
    library: '@opentelemetry',
    home: '^proxy/export/',
    comment: 'Telemetry leaves through one folder; what happens to a request is recorded without a library.',
  },
  { library: 'js-yaml', home: '^xds/', comment: 'Files of operators are read through one door, with one error form.' },
  {
    library: 'undici',
    home: '^proxy/engine/undici/',
    comment: 'The second engine alone; our own calls have no use for it.',
  },
  { library: 'pino', home: '^proxy/telemetry/', comment: 'One logger, configured once.' },
  {
    library: 're2js',
    home: '^(proxy/route/regex\\.ts$|xds/)',
    comment:
      "Operators' patterns are matched in linear time, and only by the one wrapper; xds/ checks that they compile.",
  },
];

// What the product is made of. One scope has tools beside it.
const CARRIED = VENDORS.map(({ library }) =>
  library === '@opentelemetry' ? `${library}/(api|otlp-exporter-base|resources)` : library,
);

const vendorRules = VENDORS.map(({ library, home, comment }) => ({
  name: `${library}-in-one-place`,
  comment,
  severity: 'error',
  from: { path: '^(config|native|xds|control-plane|sampler|bpf|proxy)/', pathNot: home },
  to: { path: `(^|/)node_modules/${library}/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...folderRules,
    {
      name: 'composition-root-direction',
      comment:
        'The composition root joins the proxy to xds/; like the rest of it, it ships without tests and benchmarks.',
      severity: 'error',
      from: { path: '^proxy/(main\\.ts|command/)' },
      to: { path: OURS, pathNot: '^(config|native|xds|control-plane|sampler|bpf|proxy)/' },
    },
    {
      name: 'simulator-direction',
      comment: 'The simulator reads the same file of settings as the proxy, through the same door.',
      severity: 'error',
      from: { path: '^sampler/simulate/main\\.ts$' },
      to: { path: OURS, pathNot: '^(sampler/|config/(problems|unreadable-file)\\.ts$|xds/document/)' },
    },
    {
      name: 'redirection-command-direction',
      comment: "`outrigger bpf` reads operators' settings through the same door as the proxy.",
      severity: 'error',
      from: { path: '^bpf/main\\.ts$' },
      to: { path: OURS, pathNot: '^(bpf/|native/|config/|xds/document/)' },
    },
    ...vendorRules,
    {
      name: 'nobody-imports-tests',
      comment: 'Code that works only because of a test file is not shipped code.',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-cycles',
      comment:
        'Files that need each other are one file, or lack a third. A type alone may point back: a stream knows the manager that owns it.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'reactor-is-the-bottom',
      comment: 'The event loop serves whatever runs on it; a loop that knows HTTP cannot carry another protocol.',
      severity: 'error',
      from: { path: '^proxy/reactor/' },
      to: { path: '^proxy/', pathNot: '^proxy/(reactor|transport)/' },
    },
    {
      name: 'request-path-below-process',
      comment: 'What handles a request can be tested without a worker, an admin server or a command line.',
      severity: 'error',
      from: { path: '^proxy/(route|format|http)/' },
      to: { path: '^proxy/(worker|admin|command)/' },
    },
    {
      name: 'only-declared-dependencies',
      comment: 'What another package happens to bring along can vanish with its next version.',
      severity: 'error',
      from: { path: '^(config|native|xds|control-plane|sampler|bpf|proxy)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'tools-stay-outside',
      comment: 'The bundle carries whatever is imported, and npm has it down as one more tool to make the bundle with.',
      severity: 'error',
      from: { path: '^(config|native|xds|control-plane|sampler|bpf|proxy)/' },
      to: { path: '(^|/)node_modules/', pathNot: `(^|/)node_modules/(${CARRIED.join('|')})/` },
    },
    {
      name: 'resolvable',
      comment: 'An import that nobody can resolve escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
