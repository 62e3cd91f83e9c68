import t from 'tap';
import { decodeAddress, decodeCidrRanges, decodeHostAddress, decodeKeepAlive } from '../../../xds/decode/address.ts';
import type { CidrRange, Address as Message, TcpKeepalive } from '../../../xds/generated/messages.ts';
import { decodedAs, messageOf } from '../../support/config-fixtures.ts';

const type = 'envoy.config.core.v3.Address';
const address = (yaml: string) =>
  decodedAs(type, yaml, (message: Message, problems) => decodeAddress(message, problems));
const hostAddress = (yaml: string) =>
  decodedAs(type, yaml, (message: Message, problems) => decodeHostAddress(message, problems));

t.test('literal addresses and pipes', async (t) => {
  t.same(address('{socket_address: {address: 127.0.0.1, port_value: 80}}').value, {
    kind: 'ip',
    ip: '127.0.0.1',
    port: 80,
  });
  t.same(address('{socket_address: {address: "::1", port_value: 0}}').value, { kind: 'ip', ip: '::1', port: 0 });
  t.same(address('{pipe: {path: /a, mode: 438}}').value, { kind: 'pipe', path: '/a', mode: 0o666 });
  t.same(address('{pipe: {path: /run/a}}').value, { kind: 'pipe', path: '/run/a' });
});

t.test('an IPv6 address has one spelling', async (t) => {
  const { value } = address('{socket_address: {address: "2001:DB8:0:0::1", port_value: 80}}');
  t.same(value, { kind: 'ip', ip: '2001:db8::1', port: 80 });
});

t.test('a name is for the discovery of a cluster only', async (t) => {
  const name = '{socket_address: {address: a.example, port_value: 80}}';
  t.same(hostAddress(name).value, { kind: 'host', hostname: 'a.example', port: 80 });
  t.same(address(name).problems, ['socket_address.address: "a.example" is not a literal IP address']);
  for (const [text, instead] of [
    ['[::1]', 'write ::1, without brackets'],
    ['10.0.0.1:80', 'write 10.0.0.1, and the port as port_value'],
    ['localhost', 'write 127.0.0.1 or ::1'],
  ] as const) {
    t.same(address(`{socket_address: {address: "${text}", port_value: 1}}`).problems, [
      `socket_address.address: ${JSON.stringify(text)} is not a literal IP address; ${instead}`,
    ]);
  }
  t.equal(
    hostAddress('{socket_address: {address: "fe80::1%eth0", port_value: 80}}').value?.kind,
    'host',
    'a zone is no literal',
  );
});

t.test('what no connection of ours can have is a problem', async (t) => {
  const rows: readonly [yaml: string, problem: string][] = [
    [
      '{socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 80}}',
      'socket_address.protocol: UDP is not supported; write TCP',
    ],
    [
      '{socket_address: {address: 127.0.0.1, port_value: 65536}}',
      'socket_address.port_value: must be at most 65535, got 65536',
    ],
    ['{socket_address: {address: 127.0.0.1}}', 'socket_address: port_value is required'],
    ['{socket_address: {port_value: 1}}', 'socket_address.address: address is required'],
    ['{}', ': one of socket_address, pipe is required'],
    ['{pipe: {path: /a, mode: 512}}', 'pipe.mode: must be at most 511, got 512'],
    ['{pipe: {path: "@a", mode: 511}}', 'pipe.mode: an abstract socket has no file, so no mode'],
    [`{pipe: {path: /${'é'.repeat(54)}}}`, 'pipe.path: must have at most 107 bytes, has 109'],
    [
      '{socket_address: {address: "::1", port_value: 1, ipv4_compat: true}}',
      'socket_address.ipv4_compat: only :: and IPv4-mapped addresses can take IPv4 connections, ::1 cannot',
    ],
  ];
  for (const [yaml, problem] of rows) t.same(address(yaml).problems, [problem]);
});

t.test('address ranges', async (t) => {
  const ranges = (yaml: string) =>
    decodedAs('envoy.config.core.v3.CidrRange', yaml, (message: CidrRange, problems) =>
      decodeCidrRanges([message], problems),
    );
  t.same(ranges('{address_prefix: 10.0.0.0, prefix_len: 8}').value, [{ ip: '10.0.0.0', prefixLength: 8 }]);
  t.same(ranges('{address_prefix: "fd00::"}').value, [{ ip: 'fd00::', prefixLength: 0 }]);
  t.same(ranges('{address_prefix: 10.0.0.0, prefix_len: 33}').problems, [
    '[0].prefix_len: must be at most 32 for 10.0.0.0, got 33',
  ]);
  t.same(ranges('{address_prefix: ten}').problems, ['[0].address_prefix: "ten" is not a literal IP address']);
});

t.test('keep-alive has only what is given', async (t) => {
  const keepAlive = messageOf('envoy.config.core.v3.TcpKeepalive', '{keepalive_time: 5, keepalive_probes: 2}');
  t.same(decodeKeepAlive(keepAlive as TcpKeepalive), { timeSeconds: 5, probes: 2 });
  t.same(decodeKeepAlive({}), {});
});
