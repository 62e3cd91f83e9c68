// What Envoy and outrigger say to a control plane that does the same to both: what they subscribe to and let go, which responses
// they answer and how, and what they claim to hold on a new stream. Where they differ on purpose the transcript says why, and
// docs/differences-from-envoy.md.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findEnvoy } from '../differential/envoy-binary.ts';
import { type ProxyName, ProxyProcess } from '../differential/proxy-process.ts';
import type { Protocol } from '../support/discovery-messages.ts';
import { programFile } from '../support/program-file.ts';
import { makeSecretFiles, type SecretFiles } from '../support/secret-fixtures.ts';
import { RecordingControlPlane } from './recording-control-plane.ts';
import { types } from './spoken-scene.ts';
import { spokenSteps } from './spoken-steps.ts';
import { transcript } from './spoken-transcript.ts';

t.setTimeout(300_000);

const envoy = findEnvoy();
const labels = new Map<string, string>(Object.entries(types).map(([label, typeUrl]) => [typeUrl, label]));

if ('missing' in envoy) t.pass('the comparison with Envoy of what is said', { skip: envoy.missing });
else {
  const files = makeSecretFiles(t.testdir({}));
  t.test('every line of the transcript has its step', (t) => {
    t.same(
      spokenSteps(files).map(({ name }) => name),
      Object.keys(transcript),
    );
    t.end();
  });
  for (const protocol of ['delta', 'state-of-the-world'] as const) {
    t.test(`what is said in ${protocol}`, async (t) => {
      const parts = { protocol, envoyPath: envoy.path, files };
      await Promise.all([follow(t, { name: 'outrigger', ...parts }), follow(t, { name: 'envoy', ...parts })]);
    });
  }
}

interface Following {
  readonly name: ProxyName;
  readonly protocol: Protocol;
  readonly envoyPath: string;
  readonly files: SecretFiles;
}

async function follow(t: Test, following: Following): Promise<void> {
  const { name, protocol, files } = following;
  const controlPlane = new RecordingControlPlane(protocol);
  t.teardown(() => controlPlane.close());
  const port = await controlPlane.listen();
  const [first, ...others] = spokenSteps(files);
  first!.act(controlPlane);
  await startProxy(t, following, port);
  for (const step of [first!, ...others]) {
    if (step.isDelta && protocol !== 'delta') continue;
    if (step !== first) step.act(controlPlane);
    const { delta, whole, ofEnvoy } = transcript[step.name]!;
    const both = { delta, whole, ...(name === 'envoy' && ofEnvoy) };
    const wanted = protocol === 'delta' ? both.delta : both.whole!;
    const said = await controlPlane.said(wanted, (typeUrl) => labels.get(typeUrl) ?? typeUrl);
    // What follows would be something else as well.
    if (!t.equal(said, wanted, `${step.name}: ${name}`)) return;
  }
  // The bootstrap of the incremental protocol asks for the node on the first message only.
  const wantedNodes = (nodes: readonly boolean[]) => nodes.map((_, index) => protocol !== 'delta' || index === 0);
  t.same(controlPlane.nodes, controlPlane.nodes.map(wantedNodes), `the node: ${name}`);
}

async function startProxy(t: Test, { name, protocol, envoyPath }: Following, port: number): Promise<void> {
  // A path of a socket has a hundred bytes.
  const directory = mkdtempSync(join(tmpdir(), 'said-'));
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const proxy of started) proxy.kill();
    rmSync(directory, { recursive: true });
  });
  const isEnvoy = name === 'envoy';
  const own = [process.execPath, programFile('proxy/main.ts'), '--no-config-cache'];
  await ProxyProcess.start({
    name,
    command: [...(isEnvoy ? [envoyPath] : own), '--drain-strategy', 'immediate', '--drain-time-s', '1'],
    isReady: isEnvoy ? [/starting workers/] : [/configuration is served/, /admin interface is listening/],
    bootstrap: bootstrapOf(protocol, port),
    directory,
    started,
  });
}

function bootstrapOf(protocol: Protocol, port: number): object {
  const source = { ads: {}, resource_api_version: 'V3' };
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const load_assignment = { cluster_name: 'xds', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
  const isDelta = protocol === 'delta';
  return {
    node: { id: 'sidecar', cluster: 'tests' },
    admin: { address: { pipe: { path: 'admin.sock' } } },
    layered_runtime: { layers: [{ name: 'layer', rtds_layer: { name: 'layer', rtds_config: source } }] },
    dynamic_resources: {
      ads_config: {
        api_type: isDelta ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: isDelta,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      cds_config: source,
      lds_config: source,
    },
    static_resources: {
      clusters: [{ name: 'xds', type: 'STATIC', connect_timeout: '5s', http2_protocol_options: {}, load_assignment }],
    },
  };
}
