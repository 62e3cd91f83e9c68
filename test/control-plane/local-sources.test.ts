import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { HeldResources } from '../../control-plane/held-resources.ts';
import { withoutLocalSources } from '../../control-plane/local-sources.ts';
import { problemText } from '../../control-plane/problem-text.ts';
import { readResourceFile } from '../../control-plane/resource-file.ts';
import { listenerType } from '../../control-plane/served-type.ts';
import { emptyVector } from '../../control-plane/version-vector.ts';
import { resourcesOfText } from '../support/control-plane-fixtures.ts';

const prefix = 'type.googleapis.com/envoy.';
const tls = `${prefix}extensions.transport_sockets.tls.v3`;

const socket = (source: string) => `{name: envoy.transport_sockets.tls, typed_config: {
    '@type': ${tls}.DownstreamTlsContext, common_tls_context: {tls_certificates: [{
    certificate_chain: ${source}, private_key: ${source}}]}}}`;
const listener = (source: string, body = source) => `'@type': ${prefix}config.listener.v3.Listener
name: l
address: {socket_address: {address: 127.0.0.1, port_value: 443}}
filter_chains:
- filters:
  - name: h
    typed_config:
      '@type': ${prefix}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: h
      route_config: {name: r, virtual_hosts: [{name: v, domains: ['*'], routes: [
          {match: {path: /a}, direct_response: {status: 200, body: ${body}}},
          {match: {prefix: /}, route: {cluster: c}}]}]}
      http_filters: [{name: r, typed_config: {'@type': ${prefix}extensions.filters.http.router.v3.Router}}]
  transport_socket: ${socket(source)}
`;

t.test('what only the data plane has need not be on this machine', async (t) => {
  const written = listener('{filename: /of/the/data/plane.pem}', '{environment_variable: OF_THE_DATA_PLANE}');
  t.same(readResourceFile('x.yaml', written).problems, []);
  t.same(resourcesOfText(written)[0]!.references.clusters, ['c'], 'and the rest is looked at');
});

t.test('what is written in place is checked', async (t) => {
  const { problems } = readResourceFile('x.yaml', listener('{inline_string: no key}'));
  t.matchOnly(problems.map(problemText), [/transport_socket.*certificate/]);
});

t.test('another control plane does not say which files are opened here', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'local-sources-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  // Whoever opens a pipe waits until somebody writes into it.
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const [resource] = resourcesOfText(listener(`{filename: ${pipe}}`));
  const held = new HeldResources({
    type: listenerType,
    origin: 'o',
    place: 'upstream',
    onChange: () => undefined,
    onServedBy: () => undefined,
  });
  const received = { name: 'l', version: '1', aliases: [], message: resource!.message };
  t.same(held.onUpdate({ version: '1', resources: [received], removed: [] }), []);
  t.same(held.byName.get('l')?.references.clusters, ['c']);
  t.same(held.byName.get('l')?.message, resource!.message, 'it is served on as it came');
  t.not(held.seen, emptyVector);
});

t.test('a message that names nothing of the machine is the same one', async (t) => {
  const message = { name: 'c', data: Uint8Array.of(1), list: [{ inlineString: 'x' }], none: null };
  t.equal(withoutLocalSources(message), message);
});

t.test('sources are emptied wherever they are, and TLS that is made of them is left out', async (t) => {
  const bytes = Uint8Array.of(1);
  t.same(
    withoutLocalSources({
      body: { filename: '/a' },
      list: [{ environmentVariable: 'A' }, 1],
      bytes,
      transportSocket: { name: 'tls', typedConfig: { message: { key: { filename: '/a' } } } },
      other: { transportSocket: { name: 'tls', typedConfig: { message: { key: { inlineString: 'k' } } } } },
    }),
    {
      body: { inlineString: '' },
      list: [{ inlineString: '' }, 1],
      bytes,
      transportSocket: {
        name: 'envoy.transport_sockets.raw_buffer',
        typedConfig: {
          typeUrl: `${prefix}extensions.transport_sockets.raw_buffer.v3.RawBuffer`,
          typeName: 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
          message: {},
        },
      },
      other: { transportSocket: { name: 'tls', typedConfig: { message: { key: { inlineString: 'k' } } } } },
    },
  );
});
