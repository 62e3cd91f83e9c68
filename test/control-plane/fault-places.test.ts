import t from 'tap';
import { FaultPlaces } from '../../control-plane/fault-places.ts';
import { problemText } from '../../control-plane/problem-text.ts';
import { ServedFolder } from '../../control-plane/served-folder.ts';
import { resourcesOfText, writeFiles } from '../support/control-plane-fixtures.ts';

t.test('a name that no file has, or that two have, is told with its own line and path', async (t) => {
  const typed = (type: string) => `"@type": type.googleapis.com/envoy.config.${type}`;
  const folder = t.testdir();
  writeFiles(folder, {
    'a.yaml':
      'service: a\nlisten: 127.0.0.1:1\nendpoints: [127.0.0.1:2]\nroutes:\n  - to: a\n  - to:\n      a: 1\n      b: 2\n',
    'b.yaml':
      '# of another\nservice: c\nlisten: 127.0.0.1:1\nroutes: [{to: a}]\n---\nservice: a\nendpoints: [127.0.0.1:3]\n',
    'list.yaml': `resources:
  - ${typed('cluster.v3.Cluster')}
    name: d
    type: EDS
    eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}
  - ${typed('route.v3.RouteConfiguration')}
    name: e
    virtual_hosts:
      - name: e
        domains: ['*']
        routes:
          - match: {prefix: /}
            route:
              weightedClusters:
                clusters: [{name: a, weight: 1},
                           {name: e, weight: 1}]
`,
  });
  const served = new ServedFolder({ folder, hasUpstreams: false });
  served.refresh();
  t.same(served.problems.map(problemText), [
    'b.yaml:6: service: cluster "a" is also in a.yaml:1; a name is for one',
    'b.yaml:6: service: load assignment "a" is also in a.yaml:1; a name is for one',
    'a.yaml:8: routes[1].to["b"]: route configuration "a" needs cluster "b", which no file has; did you mean "a"?',
    'list.yaml:2: cluster "d" needs load assignment "d", which no file has; did you mean "a"?',
    'list.yaml:16: resources[1].virtual_hosts[0].routes[0].route.weightedClusters.clusters[1].name: ' +
      'route configuration "e" needs cluster "e", which no file has; did you mean "a"?',
    'b.yaml:3: listen: listener "c" listens on 127.0.0.1:1, which listener "a" in a.yaml:1 has',
  ]);
});

t.test('every name that a resource of thousands misses is found without walking it thousands of times', async (t) => {
  const count = 20_000;
  const clusters = Array.from({ length: count }, (_, index) => `    - name: c${index}\n      weight: 1`);
  const places = new FaultPlaces(`name: r\nroute:\n  weighted_clusters:\n    clusters:\n${clusters.join('\n')}`);
  const [resource] = resourcesOfText('service: r\nendpoints: [127.0.0.1:1]\n', 'r.yaml');
  const isFound = (index: number) => {
    const fault = { resource: resource!, kind: 'missing', wanted: `c${index}`, message: '' } as const;
    return places.placeOf(fault, 1).line === 2 * index + 5;
  };
  t.ok([...clusters.keys()].every(isFound));
});
