import t from 'tap';
import { snapshotProblems } from '../../config/snapshot-problems.ts';
import {
  AssemblyBench,
  assignment,
  edsCluster,
  rdsListener,
  routeTable,
  staticCluster,
  tcpListener,
  tracedListener,
} from '../support/assembly-bench.ts';
import { tlsCluster, tlsListener } from '../support/secret-fixtures.ts';

t.test('a whole snapshot has no problems', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('cds', {
    a: staticCluster('a', 1),
    b: edsCluster('b'),
    o: '{name: o, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED}',
  });
  bench.respond('eds', { b: assignment('b') });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r'), m: tcpListener('m', 1001, 'b') });
  bench.respond('rds', { r: routeTable('r', 'a') });
  t.same(snapshotProblems(bench.snapshot), []);
});

t.test('what is missing is named', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('cds', { d: '{name: d, type: STRICT_DNS, load_assignment: {cluster_name: d}}' });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r', 's'), m: tcpListener('m', 1001, 'b') });
  bench.absent('rds', 's');
  bench.respond('rds', { r: routeTable('r', 'a') });
  t.same(
    snapshotProblems(bench.snapshot).map(({ path, message }) => `${path}: ${message}`),
    [
      'clusters["d"]: its members are not known',
      'routes["r"]: there is no cluster "a"',
      'listeners["m"]: there is no cluster "b"',
      'listeners["l"]: there is no route configuration "s"',
    ],
  );
});

t.test('so is a secret that has not come', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  const own = '{tls_certificate_sds_secret_configs: [{name: own, sds_config: {ads: {}}}]}';
  bench.respond('cds', { c: tlsCluster('c', own) });
  bench.respond('lds', { l: tlsListener('l', 1000, own) });
  bench.absent('sds', 'own');
  t.same(snapshotProblems(bench.snapshot), [
    { path: 'clusters["c"]', message: 'the secret "own" has not come' },
    { path: 'listeners["l"]', message: 'the secret "own" has not come' },
  ]);
});

t.test('so is a collector, which may be a cluster for calls of our own', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('lds', { l: tracedListener('l', 1000, 'spans') });
  t.same(snapshotProblems(bench.snapshot), [{ path: 'listeners["l"]', message: 'there is no cluster "spans"' }]);
  t.same(snapshotProblems(bench.snapshot, new Map([['spans', {}]])), []);
});

t.test('a cluster with HTTP/2 is for calls of our own, not for requests', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('cds', { a: staticCluster('a', 1).replace('{', '{http2_protocol_options: {}, ') });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r'), m: tracedListener('m', 1001, 'a') });
  bench.respond('rds', { r: routeTable('r', 'a') });
  const message = 'cluster "a" speaks HTTP/2, which is not offered yet';
  t.same(snapshotProblems(bench.snapshot), [{ path: 'routes["r"]', message }]);
});
