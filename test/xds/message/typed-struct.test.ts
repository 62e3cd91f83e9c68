import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import type { Any } from '../../../xds/message/message-descriptor.ts';
import { decodeMessage, encodeMessage } from '../../../xds/message/wire-message.ts';

/** The configuration of a network filter that came over the wire as a TypedStruct, and the problems on the way. */
function received(typedStruct: string, message: object) {
  const typedConfig = { typeUrl: `type.googleapis.com/${typedStruct}`, typeName: typedStruct, message };
  const bytes = encodeMessage({ name: 'f', typedConfig }, 'envoy.config.listener.v3.Filter');
  const problems = new Problems();
  const filter = decodeMessage(bytes, 'envoy.config.listener.v3.Filter', problems);
  return { any: filter?.['typedConfig'] as Any, problems: problems.list };
}

const tcpProxy = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';

t.test('both kinds of TypedStruct are the message inside', async (t) => {
  for (const typedStruct of ['udpa.type.v1.TypedStruct', 'xds.type.v3.TypedStruct']) {
    const { any, problems } = received(typedStruct, {
      typeUrl: `type.googleapis.com/${tcpProxy}`,
      value: { stat_prefix: 's', cluster: 'c', idle_timeout: '5s' },
    });
    t.same(problems, []);
    t.same(any, {
      typeUrl: `type.googleapis.com/${tcpProxy}`,
      typeName: tcpProxy,
      message: { statPrefix: 's', cluster: 'c', idleTimeout: 5000 },
    });
  }
});

t.test('a type inside that is not known keeps its name, whatever the value holds', async (t) => {
  const { any, problems } = received('udpa.type.v1.TypedStruct', { typeUrl: 'a/b.C', value: { x: [1] } });
  t.same(problems, []);
  t.same(any, { typeUrl: 'a/b.C', typeName: 'b.C' });
  t.same(received('xds.type.v3.TypedStruct', {}).any, { typeUrl: '', typeName: '' });
});

t.test('a value that cannot be read, or is not known, is a problem with its path', async (t) => {
  const { problems } = received('xds.type.v3.TypedStruct', {
    typeUrl: `a/${tcpProxy}`,
    value: { stat_prefix: ['s'], clustr: 'c' },
  });
  t.matchOnly(problems, [
    { path: 'typed_config.value.stat_prefix', message: /expected/ },
    { path: 'typed_config.value.clustr', message: /unknown field .* did you mean `cluster`/ },
  ]);
});
