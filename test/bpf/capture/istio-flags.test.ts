import fc from 'fast-check';
import t from 'tap';
import { ISTIO_FLAGS, nameserversOf, readIstioFlags } from '../../../bpf/capture/istio-flags.ts';
import { defaultCaptureSettings, everyAddress, everyPort } from '../../../bpf/capture/settings.ts';
import { onlyItems } from '../../support/only-items.ts';

const nowhere = { environment: {}, resolvConf: 'nameserver 10.96.0.10\n' };

function settingsOf(flags: readonly string[], more: object = {}) {
  const read = readIstioFlags({ ...nowhere, flags, ...more });
  if (read.kind === 'problems')
    throw new Error(read.problems.map(({ path, message }) => `${path} ${message}`).join('\n'));
  return read.settings;
}

function problemsOf(flags: readonly string[], more: object = {}): readonly string[] {
  const read = readIstioFlags({ ...nowhere, flags, ...more });
  return read.kind === 'settings' ? [] : read.problems.map(({ path, message }) => `${path}: ${message}`);
}

const one = (port: number) => ({ first: port, last: port });

t.test("the arguments of Istio's init container mean what they mean there", (t) => {
  const injected = '-p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020';
  const settings = settingsOf(injected.split(' '));
  t.same(settings.outbound, defaultCaptureSettings.outbound);
  t.same(settings.inbound, {
    port: 15006,
    includePorts: everyPort,
    excludePorts: [one(15008), one(15090), one(15021), one(15020)],
  });
  t.same(settings.proxy, { uids: [1337], gids: [1337] });
  t.notOk('dns' in settings);
  t.equal(settings.policy, 'closed');
  t.end();
});

t.test('no flag at all is as shipped', (t) => {
  t.same(settingsOf([]).outbound, defaultCaptureSettings.outbound);
  t.same(settingsOf([]).inbound.includePorts, everyPort);
  t.end();
});

t.test('an empty list captures nothing', (t) => {
  t.same(settingsOf(['-i', '', '-b', '']).outbound.includeCidrs, []);
  t.same(settingsOf(['-i', '', '-b', '']).inbound.includePorts, []);
  t.end();
});

t.test('a flag may be long or short, its value beside it or in it', (t) => {
  for (const flags of [['-p', '16001'], ['-p16001'], ['-p=16001'], ['--envoy-port', '16001'], ['--envoy-port=16001']])
    t.equal(settingsOf(flags).outbound.port, 16001, flags.join(' '));
  t.equal(settingsOf(['-p', '1', '-p', '2']).outbound.port, 2, 'the later one');
  t.same(settingsOf(['-x', '10.0.0.0/8, fd00::/8']).outbound.excludeCidrs, [
    { ip: '10.0.0.0', prefixLength: 8 },
    { ip: 'fd00::', prefixLength: 8 },
  ]);
  t.end();
});

t.test('each flag has a variable, which comes after it', (t) => {
  const environment = {
    ENVOY_PORT: '16001',
    INBOUND_CAPTURE_PORT: '16006',
    PROXY_UID: '1,2',
    ISTIO_SERVICE_CIDR: '10.0.0.0/8',
    ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE: '22',
    ISTIO_OUTBOUND_PORTS: '3306',
    ISTIO_OUTBOUND_OWNER_GROUPS: '8,9',
    ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE: '7',
    ISTIO_INBOUND_PORTS: '',
    HOME: '/root',
  };
  const settings = settingsOf(['-p', '17001'], { environment });
  t.equal(settings.outbound.port, 17001);
  t.equal(settings.inbound.port, 16006);
  t.same(settings.proxy, { uids: [1, 2], gids: [1, 2, 7] }, 'groups as users unless they are given');
  t.same(settings.outbound.includeCidrs, [{ ip: '10.0.0.0', prefixLength: 8 }]);
  t.same(settings.outbound.excludePorts, [one(22)]);
  t.same(settings.outbound.includePorts, [one(3306)]);
  t.same(settings.outbound.includeGids, [8, 9]);
  t.same(settingsOf([], { environment: { ISTIO_OUTBOUND_OWNER_GROUPS: '*' } }).outbound.includeGids, []);
  t.same(settings.inbound.includePorts, everyPort, 'an empty variable is none');
  t.end();
});

t.test('a port that -b names is captured though -d names it too, the tunnel never', (t) => {
  t.same(settingsOf(['-b', '80,15090', '-d', '80', '-e', '15009']).inbound, {
    port: 15006,
    includePorts: [one(80), one(15090)],
    excludePorts: [one(15009)],
  });
  t.end();
});

t.test('loopback and link-local are captured when a list names some of them', (t) => {
  const { outbound } = settingsOf(['-i', '127.0.0.2/32,169.254.7.0/24']);
  t.ok(outbound.loopback && outbound.linkLocal);
  t.notOk(settingsOf(['-i', '*']).outbound.loopback, 'everything is not naming');
  t.same(settingsOf(['-i', '*']).outbound.includeCidrs, everyAddress);
  t.end();
});

t.test('DNS is captured of the servers in resolv.conf, or of all', (t) => {
  t.same(settingsOf(['--redirect-dns']).dns, { port: 15053, servers: ['10.96.0.10'] });
  t.same(settingsOf(['--redirect-dns', '--capture-all-dns']).dns, { port: 15053, servers: [] });
  t.same(settingsOf([], { environment: { ISTIO_META_DNS_CAPTURE: 'true' } }).dns?.servers, ['10.96.0.10']);
  t.notOk('dns' in settingsOf(['--capture-all-dns']), 'which servers, but not whether');
  t.matchOnly(problemsOf(['--redirect-dns'], { resolvConf: '' }), [/^--redirect-dns: finds no nameserver/]);
  const lines =
    '# nameserver 1.1.1.1\nnameserver 1.2.3.4 # x\nnameserver\tfd00::1\nnameserver fe80::1%eth0\nsearch a\n';
  t.same(nameserversOf(lines), ['1.2.3.4', 'fd00::1']);
  t.end();
});

t.test('what has no meaning here is refused by name', (t) => {
  const refused = (flag: string, value: string) =>
    problemsOf([flag, value]).some((line) => line.startsWith(`${flag}: `));
  for (const flag of ISTIO_FLAGS) {
    if (!('name' in flag) || flag.refusal === undefined) continue;
    t.strictSame(problemsOf([`--${flag.name}=refuse-me`]), [`--${flag.name}: ${flag.refusal}`], flag.name);
    for (const neutral of flag.neutral ?? [])
      t.same(problemsOf([`--${flag.name}=${neutral}`]), [], `${flag.name}=${neutral} asks for nothing`);
  }
  t.ok(refused('-m', 'TPROXY'));
  t.matchOnly(problemsOf([], { environment: { ISTIO_OUTBOUND_OWNER_GROUPS: 'web' } }), [
    /^ISTIO_OUTBOUND_OWNER_GROUPS: /,
  ]);
  t.matchOnly(problemsOf([], { environment: { INBOUND_INTERCEPTION_MODE: 'TPROXY' } }), [
    /^INBOUND_INTERCEPTION_MODE: /,
  ]);
  t.end();
});

t.test('what is wrong is told by the flag that said it', (t) => {
  t.matchOnly(problemsOf(['-p', 'http']), [/^-p: must be a port from 1 to 65535, not "http"/]);
  t.matchOnly(problemsOf(['-b', '80,x']), [/^-b: must be ports or ranges .*; "x" is none/]);
  t.matchOnly(problemsOf(['-i', '10.0.0.0/40']), [/^-i: must be ranges of addresses/]);
  t.matchOnly(problemsOf(['-u', 'istio-proxy']), [/^-u: must be numbers of users or groups, not names/]);
  t.matchOnly(problemsOf(['-p']), [/^-p: needs a value/]);
  t.matchOnly(problemsOf(['--redirect-dns=yes']), [/^--redirect-dns: must be true or false/]);
  t.matchOnly(problemsOf(['--envoy-prot=1', 'stray']), [
    /^--envoy-prot: is not a flag; there are --envoy-port, /,
    /^stray: /,
  ]);
  t.matchOnly(problemsOf(['-p', '15006']), [/port 15006 is given for two purposes/]);
  t.matchOnly(problemsOf([], { environment: { ENVOY_PORT: '0' } }), [/^ENVOY_PORT: must be a port/]);
  t.end();
});

t.test('no words make the reader fail otherwise than by problems', (t) => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(...ISTIO_FLAGS.flatMap((flag) => ('name' in flag ? [`--${flag.name}`] : []))),
  );
  fc.assert(
    fc.property(fc.array(word), (flags) =>
      ['settings', 'problems'].includes(readIstioFlags({ ...nowhere, flags }).kind),
    ),
  );
  t.end();
});

t.test("a pod's annotations mean what an injector would make of them", (t) => {
  const prefix = 'traffic.sidecar.istio.io';
  const annotations = {
    [`${prefix}/includeOutboundIPRanges`]: '10.0.0.0/8',
    [`${prefix}/excludeOutboundIPRanges`]: '10.1.0.0/16',
    [`${prefix}/includeOutboundPorts`]: '8080',
    [`${prefix}/excludeOutboundPorts`]: '3306,9000-9010',
    [`${prefix}/excludeInboundPorts`]: '22',
    'sidecar.istio.io/interceptionMode': 'REDIRECT',
    'somebody.else/says': 'anything',
  };
  const { outbound, inbound } = settingsOf([], { annotations });
  t.match(outbound, {
    includeCidrs: onlyItems({ ip: '10.0.0.0', prefixLength: 8 }),
    excludeCidrs: onlyItems({ ip: '10.1.0.0', prefixLength: 16 }),
    includePorts: onlyItems(one(8080)),
    excludePorts: onlyItems(one(3306), { first: 9000, last: 9010 }),
  });
  t.strictSame(inbound.excludePorts.slice(-4), [one(15008), { first: 15020, last: 15021 }, one(15090), one(22)]);
  t.same(settingsOf(['-d', '23'], { annotations }).inbound.excludePorts, [one(15008), one(23)], 'a flag comes before');
  const nothing = settingsOf([], {
    annotations: { [`${prefix}/includeInboundPorts`]: '', [`${prefix}/includeOutboundIPRanges`]: '' },
  });
  t.same([nothing.inbound.includePorts, nothing.outbound.includeCidrs], [[], []], 'empty is nothing');
  for (const [annotation, value, problem] of [
    ['sidecar.istio.io/interceptionMode', 'TPROXY', /can be REDIRECT alone/],
    [`${prefix}/excludeInterfaces`, 'eth1', /by their interface/],
    [`${prefix}/excludeOutboundPorts`, 'x', /must be ports/],
  ] as const) {
    const [message = ''] = problemsOf([], { annotations: { [annotation]: value } });
    t.ok(message.startsWith(`${annotation}: `), message);
    t.match(message, problem);
  }
  t.end();
});
