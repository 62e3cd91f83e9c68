import fc from 'fast-check';
import t from 'tap';
import {
  type DiscoveryRequest,
  encodeRequest,
  readDeltaResponse,
  readStateOfTheWorldResponse,
} from '../../../xds/client/discovery-wire.ts';
import {
  clusterType,
  messageNamed,
  type Protocol,
  readRequest,
  type SentResource,
  writeNode,
  writeResponse,
} from '../../support/discovery-messages.ts';
import { onlyItems } from '../../support/only-items.ts';

const readers = { delta: readDeltaResponse, 'state-of-the-world': readStateOfTheWorldResponse } as const;
const protocols = ['delta', 'state-of-the-world'] as const;

/** As gRPC hands them over. */
function received(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes);
}

function responseOf(protocol: Protocol, bytes: Uint8Array) {
  const read = readers[protocol](Buffer.isBuffer(bytes) ? bytes : received(bytes));
  if (read.kind === 'malformed') throw new Error(read.reason);
  return read.response;
}

const request = {
  delta: {
    kind: 'delta',
    typeUrl: clusterType,
    subscribe: ['a', 'b'],
    unsubscribe: ['c'],
    initialVersions: [
      ['d', '7'],
      ['e', ''],
    ],
    nonce: 'n1',
    refusal: 'a: no',
  },
  'state-of-the-world': {
    kind: 'state-of-the-world',
    typeUrl: clusterType,
    version: '3',
    names: ['a', 'b'],
    nonce: 'n1',
    refusal: 'a: no',
  },
} satisfies Record<Protocol, DiscoveryRequest>;

t.test('a delta request is read as it was meant', async (t) => {
  t.same(readRequest('delta', encodeRequest(request.delta, writeNode('me'))), {
    type: clusterType,
    node: 'me',
    subscribe: ['a', 'b'],
    unsubscribe: ['c'],
    initialVersions: { d: '7', e: '' },
    names: [],
    version: '',
    nonce: 'n1',
    error: 'a: no',
  });
});

t.test('a state-of-the-world request is read as it was meant', async (t) => {
  t.same(readRequest('state-of-the-world', encodeRequest(request['state-of-the-world'], writeNode('me'))), {
    type: clusterType,
    node: 'me',
    subscribe: [],
    unsubscribe: [],
    initialVersions: {},
    names: ['a', 'b'],
    version: '3',
    nonce: 'n1',
    error: 'a: no',
  });
});

t.test('what is empty is not on the wire, and an empty refusal is a refusal', async (t) => {
  const nothing = { subscribe: [], unsubscribe: [], initialVersions: [], nonce: '' };
  t.same(
    Buffer.from(encodeRequest({ kind: 'delta', typeUrl: 'x', ...nothing }, undefined)),
    Buffer.from([0x12, 1, 0x78]),
  );
  const refused = encodeRequest({ kind: 'delta', typeUrl: 'x', ...nothing, refusal: '' }, undefined);
  t.equal(readRequest('delta', refused).error, '');
});

t.test('a refusal has the code of what is invalid: a server may look at it alone', async (t) => {
  const code = (field: number) => Buffer.from([(field << 3) | 2, 'a: no'.length + 4, 8, 3, 18, 'a: no'.length]);
  for (const [protocol, field] of [
    ['delta', 7],
    ['state-of-the-world', 6],
  ] as const) {
    t.ok(Buffer.from(encodeRequest(request[protocol], undefined)).includes(code(field)), protocol);
  }
});

t.test('a byte order mark is part of a name: without it that would be another', async (t) => {
  const response = writeResponse('delta', { type: clusterType, removed: ['\ufeffa', 'a'] });
  t.same(responseOf('delta', response).removed, ['\ufeffa', 'a']);
});

t.test('a delta response has names, versions, aliases, times to live and what was removed', async (t) => {
  const response = responseOf(
    'delta',
    writeResponse('delta', {
      type: clusterType,
      version: '9',
      nonce: 'n',
      controlPlane: 'istiod-1',
      resources: [
        { name: 'a', version: '1', aliases: ['x', 'y'], ttlMs: 1500 },
        { name: 'b', isHeartbeat: true, ttlMs: 2000 },
      ],
      removed: ['c', 'd'],
    }),
  );
  t.same(
    { ...response, resources: response.resources.map((resource) => ({ ...resource, message: undefined })) },
    {
      typeUrl: clusterType,
      version: '9',
      nonce: 'n',
      controlPlane: 'istiod-1',
      removed: ['c', 'd'],
      resources: [
        { name: 'a', version: '1', aliases: ['x', 'y'], ttlMs: 1500, message: undefined, payloadType: clusterType },
        { name: 'b', version: '', aliases: [], ttlMs: 2000, message: undefined, payloadType: '' },
      ],
    },
  );
  t.same(response.resources[0]!.message, received(messageNamed('a')));
});

t.test('a state-of-the-world response has bare and wrapped resources', async (t) => {
  const { version, resources } = responseOf(
    'state-of-the-world',
    writeResponse('state-of-the-world', {
      type: clusterType,
      version: '9',
      resources: [{ name: 'a' }, { name: 'b', isWrapped: true, version: '2', ttlMs: 1000 }],
    }),
  );
  t.equal(version, '9');
  t.same(
    resources.map(({ name, ttlMs, payloadType, message }) => ({ name, ttlMs, payloadType, message })),
    [
      { name: '', ttlMs: undefined, payloadType: clusterType, message: received(messageNamed('a')) },
      { name: 'b', ttlMs: 1000, payloadType: clusterType, message: received(messageNamed('b')) },
    ],
  );
});

t.test('a message without content is there, and not a heartbeat', async (t) => {
  // resources { name: "a" resource { type_url: "x" } }
  const { resources } = responseOf('delta', Uint8Array.of(0x12, 8, 0x1a, 1, 0x61, 0x12, 3, 0x0a, 1, 0x78));
  t.same(resources[0]!.message, new Uint8Array(0));
});

t.test('messages of resources are views of the response, not copies', async (t) => {
  for (const protocol of protocols) {
    const bytes = received(writeResponse(protocol, { type: clusterType, resources: [{ name: 'a' }, { name: 'b' }] }));
    const { resources } = responseOf(protocol, bytes);
    for (const { message } of resources) t.equal(message?.buffer, bytes.buffer, protocol);
    t.equal(resources.length, 2);
  }
});

t.test('removed names are read in their newer form too', async (t) => {
  // removed_resource_names { name: "a" dynamic_parameter_constraints {} }
  t.same(responseOf('delta', Uint8Array.of(0x42, 5, 0x0a, 1, 0x61, 0x12, 0)).removed, ['a']);
  // resources { resource_name { name: "a" } }
  t.equal(responseOf('delta', Uint8Array.of(0x12, 5, 0x42, 3, 0x0a, 1, 0x61)).resources[0]?.name, 'a');
  // The same behind name: "b", and in front of version: "c".
  const both = Uint8Array.of(0x12, 11, 0x1a, 1, 0x62, 0x42, 3, 0x0a, 1, 0x61, 0x0a, 1, 0x63);
  t.match(responseOf('delta', both).resources, onlyItems({ name: 'b', version: 'c' }));
});

t.test('unknown fields of every wire type are skipped', async (t) => {
  const unknown = [
    [0xf8, 0x07, 1],
    [0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8],
    [0xfa, 0x07, 2, 1, 2],
    [0xfb, 0x07, 0xfc, 0x07],
    [0xfd, 0x07, 1, 2, 3, 4],
  ].flat();
  const known = writeResponse('delta', { type: clusterType, version: '1', resources: [{ name: 'a' }] });
  const response = responseOf('delta', Uint8Array.of(...unknown, ...known, ...unknown));
  t.equal(response.version, '1');
  t.equal(response.resources.length, 1);
});

t.test('bytes that are no message are an outcome, not an exception', async (t) => {
  const rows: readonly [what: string, bytes: readonly number[]][] = [
    ['a length behind the end', [0x0a, 5, 0x61]],
    ['a varint without an end', [0x0a, 0xff, 0xff, 0xff]],
    ['a wire type that does not exist', [0x0e, 0]],
    ['field 0', [0x02, 0]],
    ['a resource behind the end', [0x12, 9, 0x1a, 1, 0x61]],
    ['a field that is longer than its resource', [0x12, 2, 0x1a, 3, 0x61, 0x61, 0x61]],
    ['a name that is not UTF-8', [0x12, 3, 0x1a, 1, 0xff]],
    ['the end of a group that did not begin', [0xfc, 0x07]],
  ];
  for (const [what, bytes] of rows) t.equal(readDeltaResponse(Buffer.from(bytes)).kind, 'malformed', what);
});

const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });

t.test('what another implementation writes is read, and the other way round', async () => {
  const resource = fc.record<SentResource>({
    name,
    version: name,
    aliases: fc.array(name, { maxLength: 3 }),
    text: name,
    ttlMs: fc.integer({ min: 0, max: 2 ** 40 }),
  });
  fc.assert(
    fc.property(fc.array(resource, { maxLength: 20 }), fc.array(name), (resources, removed) => {
      const response = responseOf('delta', writeResponse('delta', { type: clusterType, resources, removed }));
      const read = response.resources.map(({ payloadType: _, message, ...rest }) => ({
        ...rest,
        text: Buffer.from(message!).toString('hex'),
      }));
      const sent = resources.map(({ text, ...rest }) => ({
        ...rest,
        text: Buffer.from(messageNamed(rest.name, text)).toString('hex'),
      }));
      return JSON.stringify(sort(read)) === JSON.stringify(sort(sent)) && sameList(response.removed, removed);
    }),
  );
  fc.assert(
    fc.property(fc.array(name), fc.array(name), name, (subscribe, unsubscribe, refusal) => {
      const seen = readRequest(
        'delta',
        encodeRequest({ ...request.delta, subscribe, unsubscribe, refusal }, undefined),
      );
      return sameList(seen.subscribe, subscribe) && sameList(seen.unsubscribe, unsubscribe) && seen.error === refusal;
    }),
  );
});

t.test('no bytes at all make a reader throw', async () => {
  const valid = writeResponse('delta', {
    type: clusterType,
    version: '1',
    resources: [{ name: 'a', ttlMs: 5, aliases: ['b'] }],
    removed: ['c'],
  });
  const damaged = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 5 }).map((edits) => {
    const bytes = Buffer.from(valid);
    for (const [at, value] of edits) bytes[at] = value;
    return bytes;
  });
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)),
    damaged,
  );
  fc.assert(
    fc.property(bytes, fc.constantFrom(...protocols), (bytes, protocol) => {
      const read = readers[protocol](bytes);
      return read.kind === 'malformed' ? read.reason !== '' : Array.isArray(read.response.resources);
    }),
    { numRuns: 2000 },
  );
});

function sort(resources: readonly object[]): readonly object[] {
  return resources.map((resource) => Object.fromEntries(Object.entries(resource).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
