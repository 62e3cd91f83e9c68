// The steps between an endpoint's head and the client's. What each route and filter adds has tests of its own.

import t from 'tap';
import { BodyFraming, ResponseHead } from '../../../proxy/http/message.ts';
import { completeResponse, prepareResponse, prepareTunnelResponse } from '../../../proxy/http/response-head.ts';
import { fieldsOf, Scene, type SceneOptions } from '../../support/http-fixtures.ts';

function begun(options: SceneOptions = {}) {
  const scene = new Scene(options);
  const { stream } = scene.request();
  return { scene, stream, route: stream.route! };
}

function headOf(...fields: (readonly [string, string])[]): ResponseHead {
  const head = new ResponseHead();
  head.status = 200;
  for (const [name, value] of fields) head.headers.append(name, value);
  return head;
}

t.test('what the endpoint says of its own connection and of its time goes no further', async (t) => {
  const { scene, stream, route } = begun();
  scene.reactor.advance(30);
  stream.info.responseHeadAtMs = stream.nowMs;
  const head = headOf(['connection', 'x-own'], ['x-own', '1'], ['x-envoy-upstream-service-time', '999'], ['a', '1']);
  prepareResponse(stream, head, route);
  t.same(fieldsOf(head.headers), ['a: 1', 'x-envoy-upstream-service-time: 30']);
});

t.test(
  'the time of a response that overtakes its request is not known: what the endpoint says of it stays',
  async (t) => {
    const { stream, route } = begun();
    stream.info.requestEndAtMs = -1;
    const head = headOf(['x-envoy-upstream-service-time', '999']);
    prepareResponse(stream, head, route);
    t.same(fieldsOf(head.headers), ['x-envoy-upstream-service-time: 999']);
  },
);

t.test('a switch of protocols stays one, said once, and has no body', async (t) => {
  const { stream, route } = begun();
  for (const given of [[], [['connection', 'Upgrade']]] as const) {
    const head = headOf(['upgrade', 'websocket'], ...given);
    head.framing = BodyFraming.untilClose;
    prepareTunnelResponse(stream, head, route);
    t.equal(head.framing, BodyFraming.none);
    t.same(
      fieldsOf(head.headers)
        .map((field) => field.toLowerCase())
        .sort(),
      ['connection: upgrade', 'upgrade: websocket'],
    );
  }
});

t.test('date and server are there whoever answers', async (t) => {
  const { stream } = begun();
  const head = headOf();
  completeResponse(stream, head);
  t.same(
    fieldsOf(head.headers)
      .map((field) => field.split(':')[0])
      .sort(),
    ['date', 'server'],
  );
});
