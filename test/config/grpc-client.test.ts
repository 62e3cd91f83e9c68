import t from 'tap';
import { asBuffer, asBytes, grpcClientOptions } from '../../config/grpc-client.ts';

t.test('a message is handed to the library and taken from it without a copy', (t) => {
  const whole = new Uint8Array([1, 2, 3, 4]);
  const given = asBuffer(whole.subarray(1, 3));
  t.same([...given], [2, 3]);
  whole[1] = 9;
  t.equal(given[0], 9);
  t.equal(asBytes(given), given);
  t.end();
});

t.test('nothing of the environment decides where a call goes', (t) => {
  t.match(grpcClientOptions, { 'grpc.enable_http_proxy': 0, 'grpc.service_config_disable_resolution': 1 });
  t.end();
});
