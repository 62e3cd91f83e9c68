// What logs and replies say an exchange has sent to its endpoint, when the endpoint cuts the connection: the numbers of Envoy.

import t from 'tap';
import { RawOrigin } from '../support/raw-origin.ts';
import { connectTo, request, startBefore } from '../support/single-listener.ts';

t.setTimeout(900_000);

t.test('an exchange that the endpoint resets has sent what it has sent', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.onText = (added) => {
      if (added.startsWith('GET /first')) connection.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone');
      else connection.socket.resetAndDestroy();
    };
  });
  const text_format_source = {
    inline_string: 'sent %UPSTREAM_WIRE_BYTES_SENT%, received %UPSTREAM_WIRE_BYTES_RECEIVED%;',
  };
  const manager = { local_reply_config: { body_format: { text_format_source } } };
  const sidecar = await startBefore(t, { port: origin.port, manager });
  const client = await connectTo(t, sidecar.port('http'));
  for (const first of ['', '/first']) {
    client.text = '';
    if (first !== '') {
      await client.write(request(first));
      await client.until((text) => text.endsWith('done'));
      client.text = '';
    }
    const connection = origin.connections.at(-1);
    const before = first === '' ? 0 : connection!.text.length;
    await client.write('POST /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    const text = await client.until((all) => all.endsWith(';'));
    const sent = origin.connections.at(-1)!.text.length - before;
    t.ok(sent > 50, 'the endpoint has read the request');
    t.match(
      text,
      new RegExp(`^HTTP/1.1 503 [^]*sent ${sent}, received 0;$`),
      `behind ${first === '' ? 'nothing' : 'an exchange'}`,
    );
  }
});
