import t from 'tap';
import { readEnvironment } from '../../../proxy/sidecar/environment.ts';
import { flagsOfContainer, flagsOfMesh, readSidecarArguments } from '../../../proxy/sidecar/sidecar-arguments.ts';

t.test('the arguments of Istio’s injector', async (t) => {
  const args = [
    'sidecar',
    '--domain',
    'shop.svc.cluster.local',
    '--proxyLogLevel=warning',
    '--proxyComponentLogLevel=misc:error',
    '--log_output_level=default:info',
    '--log_as_json',
    '--stsPort=15463',
    '--outlierLogPath=/dev/stdout',
    '--concurrency=2',
  ];
  t.same(readSidecarArguments(args), {
    dnsDomain: 'shop.svc.cluster.local',
    flags: ['--log-level', 'warning', '--component-log-level', 'misc:error', '--concurrency', '2'],
  });
});

t.test('flags of the proxy pass as they are, with their values', async (t) => {
  t.same(readSidecarArguments(['--capture', 'ebpf', '--no-config-cache', '-l', 'debug']), {
    dnsDomain: undefined,
    flags: ['--capture', 'ebpf', '--no-config-cache', '-l', 'debug'],
  });
});

t.test('other kinds of proxies, and flags without their value, are refused', async (t) => {
  t.throws(() => readSidecarArguments(['router', '--domain', 'd']), {
    message: /router: is a kind of proxy that is not/,
  });
  t.throws(() => readSidecarArguments(['sidecar', '--domain']), { message: /--domain: needs a value/ });
});

t.test('the mesh says how many threads and how long to drain, unless an argument does', async (t) => {
  const environment = readEnvironment({
    variables: {
      POD_NAME: 'a',
      POD_NAMESPACE: 'b',
      INSTANCE_IP: '10.0.0.1',
      PROXY_CONFIG: '{"concurrency":2,"drainDuration":"1.2s"}',
    },
    readFile: () => undefined,
  });
  t.same(flagsOfMesh(environment, []), ['--concurrency', '2', '--drain-time-s', '2', '--drain-strategy', 'immediate']);
  t.same(flagsOfMesh(environment, ['--concurrency=4', '--drain-time-s', '9', '--drain-strategy=gradual']), []);
});

t.test('what was accepted is kept in the volume that the injector mounts, unless somebody says where', async (t) => {
  const paths: string[] = [];
  const isThere = (path: string) => paths.push(path) > 0;
  t.same(flagsOfContainer([], {}, isThere), ['--config-cache-dir', '/var/lib/istio/data/outrigger']);
  t.same(paths, ['/var/lib/istio/data']);
  t.same(flagsOfContainer(['--config-cache-dir=/a'], {}, isThere), []);
  t.same(flagsOfContainer([], { XDG_CACHE_HOME: '/a' }, isThere), []);
  t.same(
    flagsOfContainer([], {}, () => false),
    [],
  );
});
