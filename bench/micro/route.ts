// What routing, header changes and a log line cost a request: 1,000 virtual hosts, 20 routes by prefix, 1,000 routes in one
// virtual host, Envoy's default access-log format. Prints nanoseconds of CPU for each, the best of some rounds: other work on
// the machine can only slow a round down.
// Run: node bench/micro/route.ts

import { defaultTextFormat } from '../../config/format-commands.ts';
import type { HeaderMutations, Route, RouteConfiguration, VirtualHost } from '../../config/route.ts';
import { compileFormat } from '../../proxy/format/format.ts';
import { compileJsonFormat } from '../../proxy/format/json-format.ts';
import { RequestHead, ResponseHead } from '../../proxy/http/message.ts';
import { StreamInfo } from '../../proxy/http/stream-info.ts';
import { compileRouteTable } from '../../proxy/route/route-table.ts';

const rounds = 20;
const iterations = 50_000;
const unchanged: HeaderMutations = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };

function prefixRoute(prefix: string, headers = unchanged): Route {
  return {
    name: prefix,
    match: {
      path: { kind: 'prefix', value: prefix },
      caseSensitive: true,
      headers: [],
      queryParameters: [],
      grpc: false,
    },
    action: {
      kind: 'forward',
      target: { kind: 'cluster', name: 'service' },
      clusterNotFoundStatus: 503,
      appendForwardedHost: false,
      timeoutMs: 15_000,
      priority: 'default',
      upgrades: {},
      metadataMatch: {},
    },
    headers,
    metadata: {},
    statPrefix: '',
    perFilterConfig: {},
  };
}

function host(name: string, routes: readonly Route[]): VirtualHost {
  return {
    name,
    domains: [name, `*.${name}`],
    routes,
    requireTls: 'none',
    headers: unchanged,
    includeRequestAttemptCount: false,
    includeAttemptCountInResponse: false,
    perFilterConfig: {},
  };
}

const twentyRoutes = Array.from({ length: 20 }, (_, number) => prefixRoute(`/api/v1/resource-${number}/`));
const thousandRoutes = Array.from({ length: 1000 }, (_, number) =>
  prefixRoute(`/team-${number}/service-${number % 7}/`),
);
const mutation: HeaderMutations = {
  ...unchanged,
  requestAdd: [
    { name: 'x-constant', value: 'one', action: 'append', keepEmptyValue: false },
    { name: 'x-client', value: '%DOWNSTREAM_REMOTE_ADDRESS%', action: 'overwrite', keepEmptyValue: false },
  ],
  requestRemove: ['x-internal'],
};
const config: RouteConfiguration = {
  name: 'bench',
  virtualHosts: [
    ...Array.from({ length: 1000 }, (_, number) => host(`service-${number}.mesh.local`, twentyRoutes)),
    host('wide.mesh.local', thousandRoutes),
    host('changed.mesh.local', [prefixRoute('/', mutation)]),
  ],
  headers: unchanged,
  internalOnlyHeaders: [],
  mostSpecificHeaderMutationsWins: false,
  ignorePortInHostMatching: false,
  maxDirectResponseBodyBytes: 4096,
};
const table = compileRouteTable(config, { suppressEnvoyHeaders: false });
const context = { random: () => 0.5, runtime: new Map<string, string | number | boolean>() };

function request(authority: string, path: string): RequestHead {
  const head = new RequestHead();
  head.method = 'GET';
  head.path = path;
  head.authority = authority;
  for (const name of ['Host', 'User-Agent', 'X-Forwarded-For', 'X-Request-Id', 'Accept', 'X-Internal']) {
    head.headers.append(name, '4f7a1c2e-0b5d-4f6e-9a53-7f1d0c2b9e11');
  }
  return head;
}

const info = new StreamInfo();
info.startWallMs = 1_795_271_504_183.25;
info.endedAtMs = 5;
info.protocol = 'HTTP/1.1';
info.responseCode = 200;
info.upstreamRemoteAddress = '10.0.0.7:8080';
info.downstreamRemoteAddress = '10.0.0.3:51234';

let sink = 0;

function measure(what: string, turn: (iteration: number) => number): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.threadCpuUsage();
    for (let iteration = 0; iteration < iterations; iteration++) sink += turn(iteration);
    const { user, system } = process.threadCpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / iterations);
  }
  process.stdout.write(`${what.padEnd(64)} ${best.toFixed(0).padStart(6)} ns\n`);
}

const same = request('service-500.mesh.local', '/api/v1/resource-13/items?page=2');
measure('match: 1,000 virtual hosts, 20 prefixes, one authority', () => table.match(same, context)!.name.length);

const many = Array.from({ length: 64 }, (_, number) =>
  request(`service-${number * 15}.mesh.local`, `/api/v1/resource-${number % 20}/items`),
);
measure('match: the same, another authority each time', (at) => table.match(many[at & 63]!, context)!.name.length);

const wildcard = request('pod-7.service-500.mesh.local', '/api/v1/resource-19/items');
const other = request('pod-8.service-501.mesh.local', '/api/v1/resource-1/items');
measure(
  'match: the same, suffix domains, alternating',
  (at) => table.match(at & 1 ? wildcard : other, context)!.name.length,
);

const wide = request('wide.mesh.local', '/team-999/service-5/items');
measure('match: 1,000 prefixes in one virtual host', () => table.match(wide, context)!.name.length);

const changed = request('changed.mesh.local', '/');
const used = changed.headers.used;
const rows = changed.headers.rowCount;
const changing = table.match(changed, context)!.action;
measure('header changes: one constant, one command, one removal', () => {
  changed.headers.used = used;
  changed.headers.rowCount = rows;
  if (changing.kind === 'forward') changing.rewriteRequest(changed, info);
  return changed.headers.rowCount;
});

const response = new ResponseHead();
response.headers.append('x-envoy-upstream-service-time', '3');
const formatContext = { info, request: same, response, responseTrailers: null, localReplyBody: '' };
const text = compileFormat(defaultTextFormat);
// A rope must be flattened once to be written; charCodeAt on its last character makes V8 do it.
measure('log line: default text format', (at) => {
  info.startWallMs += 0.01 * (at & 1);
  const line = text.write(formatContext);
  return line.charCodeAt(line.length - 1);
});
const json = compileJsonFormat({
  time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(:PATH)%',
  status: '%RESPONSE_CODE%',
  duration: '%DURATION%',
  sent: '%BYTES_SENT%',
  upstream: '%UPSTREAM_HOST%',
  id: '%REQ(X-REQUEST-ID)%',
});
measure('log line: JSON with eight fields', () => {
  const line = json.write(formatContext);
  return line.charCodeAt(line.length - 1);
});
process.stdout.write(`(${sink % 7})\n`);
