// The expectations are what Envoy 1.40 sends with the same options and the same request.

import t from 'tap';
import type { HttpConnectionManager } from '../../../config/http-connection-manager.ts';
import type { ConnectionFacts } from '../../../proxy/http/connection-facts.ts';
import type { TlsFacts } from '../../../proxy/transport/tls-facts.ts';
import { fieldsOf, Scene } from '../../support/http-fixtures.ts';

type Fields = readonly (readonly [string, string])[];

interface Told {
  readonly fields: ReadonlyMap<string, string>;
  readonly names: readonly string[];
  readonly remoteAddress: string;
  readonly requestId: string;
  readonly scheme: string;
}

/** What the next hop is told of a request with these fields, of which the first is the first of all, before Host. */
function told(config: Partial<HttpConnectionManager>, given: Fields = [], facts: Partial<ConnectionFacts> = {}): Told {
  const { stream, client } = new Scene({ manager: config, facts }).request((head) => {
    head.headers.clear();
    for (const [name, value] of [...given, host]) head.headers.append(name, value);
  });
  const lines = fieldsOf(client.head.headers).map((line) => line.split(': ') as [string, string]);
  return {
    fields: new Map(lines),
    names: lines.map(([name]) => name),
    remoteAddress: stream.info.downstreamRemoteAddress,
    requestId: stream.info.requestId,
    scheme: stream.head.scheme,
  };
}

const host = ['Host', 'shop.example'] as const;
const xff = (value: string) => ['x-forwarded-for', value] as const;
const internalRanges = [{ ip: '10.0.0.0', prefixLength: 8 }];
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

t.test('inside the mesh x-forwarded-for is left, and the rest is added where it is missing', async (t) => {
  const { fields, remoteAddress } = told({});
  t.equal(fields.has('x-forwarded-for'), false);
  t.equal(fields.get('x-forwarded-proto'), 'http');
  t.match(fields.get('x-request-id'), uuid);
  t.equal(remoteAddress, '198.51.100.7:4000');
  const kept = told({}, [xff('1.2.3.4'), ['x-forwarded-proto', 'https'], ['x-request-id', 'mine']]);
  t.equal(kept.fields.get('x-forwarded-for'), '1.2.3.4');
  t.equal(kept.fields.get('x-forwarded-proto'), 'https');
  t.equal(kept.requestId, 'mine');
  t.equal(kept.remoteAddress, '1.2.3.4:0', 'for logs the client is whom it names');
});

t.test('who came over TLS came by https, unless a trusted hop says how the client came to it', async (t) => {
  const tls = { version: 'TLSv1.3' } as TlsFacts;
  const http = [['x-forwarded-proto', 'http']] as const;
  t.equal(told({}, [], { tls }).fields.get('x-forwarded-proto'), 'https');
  t.equal(told({}, http, { tls }).fields.get('x-forwarded-proto'), 'http');
  t.equal(told({ useRemoteAddress: true }, http, { tls }).fields.get('x-forwarded-proto'), 'https');
  const trusting = { useRemoteAddress: true, xffNumTrustedHops: 1 };
  t.equal(told(trusting, http, { tls }).fields.get('x-forwarded-proto'), 'http');
});

t.test('a field that is the first of all is found, and none is added beside it', async (t) => {
  const proto = told({}, [['x-forwarded-proto', 'https']]);
  t.same(
    proto.names.filter((name) => name === 'x-forwarded-proto'),
    ['x-forwarded-proto'],
  );
  t.equal(proto.scheme, 'https');
  const twice = told({ xffNumTrustedHops: 1 }, [xff('1.2.3.4'), xff('5.6.7.8')]);
  t.equal(twice.fields.get('x-forwarded-for'), '1.2.3.4,5.6.7.8', 'both lines are one list');
  t.equal(twice.remoteAddress, '1.2.3.4:0');
  const atEdge = told({ useRemoteAddress: true }, [['x-request-id', 'mine']]);
  t.equal(atEdge.names.filter((name) => name === 'x-request-id').length, 1);
  t.equal(atEdge.fields.get('x-request-id'), atEdge.requestId);
});

t.test('xff_num_trusted_hops counts from the end of x-forwarded-for', async (t) => {
  const list = [xff('9.9.9.9, 1.2.3.4, 5.6.7.8')];
  t.equal(told({ xffNumTrustedHops: 0 }, list).remoteAddress, '5.6.7.8:0');
  t.equal(told({ xffNumTrustedHops: 1 }, list).remoteAddress, '1.2.3.4:0');
  t.equal(told({ xffNumTrustedHops: 9 }, list).remoteAddress, '198.51.100.7:4000', 'more hops than there are');
});

t.test('at the edge the peer is the client, and nothing it says of itself counts', async (t) => {
  const { fields, names } = told({ useRemoteAddress: true }, [
    xff('10.0.0.5'),
    ['x-forwarded-proto', 'https'],
    ['x-request-id', 'mine'],
    ['x-envoy-internal', 'true'],
    ['x-envoy-max-retries', '9'],
    ['x-envoy-original-path', '/o'],
    ['x-envoy-original-url', 'http://lie/'],
    ['x-envoy-external-address', '9.9.9.9'],
  ]);
  t.equal(fields.get('x-forwarded-for'), '10.0.0.5,198.51.100.7');
  t.equal(fields.get('x-forwarded-proto'), 'http');
  t.match(fields.get('x-request-id'), uuid);
  t.equal(fields.get('x-envoy-external-address'), '198.51.100.7');
  for (const name of ['x-envoy-internal', 'x-envoy-max-retries', 'x-envoy-original-path', 'x-envoy-original-url'])
    t.equal(fields.has(name), false, name);
  t.equal(names.filter((name) => name === 'x-envoy-external-address').length, 1);
});

t.test('at the edge behind trusted proxies the client is the first one that is not trusted', async (t) => {
  const { fields, remoteAddress } = told({ useRemoteAddress: true, xffNumTrustedHops: 1 }, [
    xff('10.0.0.5, 1.2.3.4'),
    ['x-forwarded-proto', 'https'],
  ]);
  t.equal(fields.get('x-forwarded-for'), '10.0.0.5, 1.2.3.4,198.51.100.7');
  t.equal(fields.get('x-forwarded-proto'), 'https', 'a trusted proxy said so');
  t.equal(fields.get('x-envoy-external-address'), '1.2.3.4');
  t.equal(remoteAddress, '1.2.3.4:0');
});

t.test('skip_xff_append leaves the list; a peer on loopback is named by our own address', async (t) => {
  t.equal(told({ useRemoteAddress: true, skipXffAppend: true }).fields.has('x-forwarded-for'), false);
  const local = { remoteIp: '127.0.0.1', isLoopbackPeer: true };
  t.equal(told({ useRemoteAddress: true }, [], local).fields.get('x-forwarded-for'), '192.0.2.9');
});

t.test('only a single hop from a configured range is internal', async (t) => {
  const isInternal = (config: Partial<HttpConnectionManager>, given: Fields, facts: Partial<ConnectionFacts> = {}) => {
    const { fields } = told(config, [...given, ['x-envoy-max-retries', '1'], ['x-envoy-internal', 'lie']], facts);
    return fields.get('x-envoy-internal') === 'true';
  };
  const ranges = { internalAddressRanges: internalRanges };
  t.equal(isInternal(ranges, [xff('10.0.0.5')]), true);
  t.equal(isInternal({}, [xff('10.0.0.5')]), false, 'nobody is internal unless it is configured');
  t.equal(isInternal(ranges, [xff('1.2.3.4')]), false);
  t.equal(isInternal(ranges, [xff('10.0.0.5, 10.0.0.6')]), false);
  t.equal(isInternal(ranges, []), false);
  const edge = { ...ranges, useRemoteAddress: true };
  t.equal(isInternal(edge, [], { remoteIp: '10.1.2.3' }), true);
  t.equal(isInternal(edge, [xff('10.0.0.5')], { remoteIp: '10.1.2.3' }), false, 'it came through somebody else');
});

t.test('headers of our own are kept from internal requests only', async (t) => {
  const given = [xff('10.0.0.5'), ['x-envoy-original-path', '/o'], ['x-secret', '1']] as const;
  const source = new Scene().manager.config.routes;
  if (source.kind !== 'inline') throw new Error('the scene has its routes in place');
  const { routes } = source;
  const config = { routes: { kind: 'inline', routes: { ...routes, internalOnlyHeaders: ['x-secret'] } } } as const;
  const internal = told({ ...config, internalAddressRanges: internalRanges }, given).fields;
  t.match(internal.get('x-secret'), '1');
  const external = told(config, given).fields;
  t.equal(external.has('x-secret'), false);
  t.equal(external.get('x-envoy-original-path'), '/o', 'a hop behind the edge trusts the edge');
});

t.test('request ids are made, kept, or left alone as configured', async (t) => {
  const mine = [['x-request-id', 'mine']] as const;
  t.equal(told({ generateRequestId: false }).fields.has('x-request-id'), false);
  t.equal(told({ generateRequestId: false, useRemoteAddress: true }, mine).requestId, 'mine');
  t.equal(told({ useRemoteAddress: true, preserveExternalRequestId: true }, mine).requestId, 'mine');
  t.not(told({ useRemoteAddress: true }, mine).requestId, 'mine');
});

t.test('via is appended, the scheme can be overwritten', async (t) => {
  t.equal(told({ via: 'me' }).fields.get('via'), 'me');
  t.equal(told({ via: 'me' }, [['Via', 'you']]).fields.get('Via'), 'you, me');
  const { fields, names } = told({ scheme: { kind: 'overwrite', scheme: 'https' } }, [['X-Forwarded-Proto', 'http']]);
  t.equal(fields.get('x-forwarded-proto'), 'https');
  t.equal(names.filter((name) => name.toLowerCase() === 'x-forwarded-proto').length, 1);
});
