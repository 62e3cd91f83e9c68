// docs/observing.md is what an operator reads at night: it names what there is, and all of it.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { adminRoutes } from '../../../proxy/admin/routes.ts';
import { responseFlagNames } from '../../../proxy/http/stream-info.ts';
import { clusterDiscoveryStats, clusterStats, routeStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { listenerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { filesystemStats } from '../../../proxy/telemetry/server-stats.ts';

const page = readFileSync(new URL('../../../docs/observing.md', import.meta.url), 'utf8');

t.test('every response flag is explained', (t) => {
  for (const { short } of responseFlagNames) t.match(page, new RegExp(`^\\| .*\`${short}\``, 'm'), short);
  t.end();
});

t.test('every statistic that is named exists', (t) => {
  const sets = [clusterStats, clusterDiscoveryStats, routeStats, httpStats, listenerStats, filesystemStats];
  const known = new Set(sets.flatMap(({ scope }) => scope.stats.map((stat) => stat.name)));
  const named = [
    ...page.matchAll(
      /`(?:(?:http|cluster|listener|vhost)\.[A-Z_.a-z]*?[A-Z]\.|filesystem\.)?((?:up|down)stream_\w+|no_\w+|membership_\w+|update_\w+|write_\w+)`/g,
    ),
  ];
  t.ok(named.length > 25, `${named.length} names`);
  for (const [, name] of named) t.ok(known.has(name!), name!);
  t.end();
});

t.test('every path that is named exists', (t) => {
  const paths = new Set(adminRoutes.map((route) => route.path));
  const absent = new Set(['/tap', '/stats/recentlookups', '/dev/stdout', '/dev/stderr']);
  for (const [, path] of page.matchAll(/`(?:GET |POST )?(\/[a-z_/]*)(?:\?[^`]*)?`/g)) {
    if (!absent.has(path!)) t.ok(paths.has(path!), path!);
  }
  t.end();
});
