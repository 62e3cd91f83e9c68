import t from 'tap';
import type { PeerMetadataExchange } from '../../../config/istio-filter.ts';
import { headerName } from '../../../proxy/http/header-name.ts';
import type { HeaderTable } from '../../../proxy/http/header-table.ts';
import { encodeWorkload, workloadOfNode } from '../../../proxy/istio/workload.ts';
import { fieldsOf, Scene } from '../../support/http-fixtures.ts';

const METADATA = 'x-envoy-peer-metadata';
const ID = 'x-envoy-peer-metadata-id';

const nodeOf = (name: string) => ({ id: `sidecar~${name}`, metadata: { WORKLOAD_NAME: name }, region: '', zone: '' });
const headerOf = (name: string) => encodeWorkload(workloadOfNode(nodeOf(name), []));

const nothing: PeerMetadataExchange = {
  readsRequests: false,
  answersRequests: false,
  sendsRequests: false,
  skipsExternalClusters: false,
  readsResponses: false,
  additionalLabels: [],
};
const inbound: PeerMetadataExchange = { ...nothing, readsRequests: true, answersRequests: true };
const outbound: PeerMetadataExchange = { ...nothing, sendsRequests: true, readsResponses: true };

const told = (headers: HeaderTable) =>
  fieldsOf(headers)
    .filter((line) => line.toLowerCase().startsWith(METADATA))
    .map((line) => line.split(': '));
const sceneOf = (peerMetadata: PeerMetadataExchange, given: object = {}) =>
  new Scene({ manager: { peerMetadata }, node: nodeOf('us'), ...given });

t.test('an application does not see who its clients are, and they are told who it is', async (t) => {
  const scene = sceneOf(inbound);
  const { stream, client } = scene.request(({ headers }) => {
    headers.append('X-Envoy-Peer-Metadata-Id', 'sidecar~them');
    headers.append('X-Envoy-Peer-Metadata', headerOf('them'));
  });
  t.same(told(client.head.headers), []);
  t.equal(stream.peer?.name, 'them');
  const connection = scene.connect();
  scene.respond(connection, 200, true, [[METADATA, 'forged']]);
  t.same(told(connection.head.headers), [
    [ID, 'sidecar~us'],
    [METADATA, headerOf('us')],
  ]);
});

t.test('who does not ask is told nothing, and who asks for one is told one', async (t) => {
  const answer = (...names: readonly string[]) => {
    const scene = sceneOf(inbound);
    scene.request(({ headers }) => {
      for (const name of names) headers.append(name, 'x');
    });
    const connection = scene.connect();
    scene.respond(connection, 200);
    return told(connection.head.headers).map(([name]) => name);
  };
  t.same(answer(), []);
  t.same(answer(ID), [ID]);
  t.same(answer(METADATA), [METADATA]);
});

t.test('an endpoint is told with every request, in place of what the application says', async (t) => {
  const scene = sceneOf(outbound);
  const { stream, client } = scene.request(({ headers }) => headers.append(METADATA, 'forged'));
  const ours = [
    [ID, 'sidecar~us'],
    [METADATA, headerOf('us')],
  ];
  t.same(told(client.head.headers), ours);
  const connection = scene.connect();
  scene.respond(connection, 200, true, [
    [METADATA, headerOf('them')],
    [ID, 'sidecar~them'],
  ]);
  t.same(told(connection.head.headers), []);
  t.equal(stream.peer?.name, 'them');
});

t.test('a cluster outside of the mesh is told nothing where that is asked for', async (t) => {
  const sent = (skipsExternalClusters: boolean, istio: { readonly [key: string]: unknown }) =>
    told(sceneOf({ ...outbound, skipsExternalClusters }, { clusterMetadata: { istio } }).request().client.head.headers)
      .length;
  t.equal(sent(true, { external: true }), 0);
  t.equal(sent(false, { external: true }), 2);
  t.equal(sent(true, { external: false }), 2);
  t.equal(sent(false, { disable_mx: true }), 0);
});

t.test('a peer that does not speak it, or speaks nonsense, is nobody', async (t) => {
  for (const value of ['', '???', 'A'.repeat(9_000)]) {
    const scene = sceneOf(inbound);
    const { stream, client } = scene.request(({ headers }) => headers.append(METADATA, value));
    t.equal(stream.peer, null);
    t.same(told(client.head.headers), []);
  }
  t.equal(sceneOf(inbound).request().stream.peer, null);
});

t.test('a peer is known by what it says, not by the id beside it', async (t) => {
  const scene = sceneOf(inbound);
  const peerOf = (name: string) =>
    scene.request(({ headers }) => {
      headers.append(ID, 'sidecar~same');
      headers.append(METADATA, headerOf(name));
    }).stream.peer;
  const first = peerOf('a');
  t.equal(first?.name, 'a');
  t.equal(peerOf('b')?.name, 'b');
  t.equal(peerOf('a'), first, 'it is read once');
  for (let index = 0; index < 200; index++) peerOf(`other-${index}`);
  t.not(peerOf('a'), first, 'and forgotten when many others came');
});

t.test('without the filter the fields pass', async (t) => {
  const { client } = new Scene({}).request(({ headers }) => headers.append(METADATA, 'x'));
  t.equal(client.head.headers.get(headerName(METADATA)), 'x');
});
