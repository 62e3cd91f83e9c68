// An application of a pod: answers each request with what it has seen of it, as JSON. `node http-application.ts IP PORT`.

import { createServer } from 'node:http';

const [ip, port] = process.argv.slice(2);

createServer(({ method, url, headers, socket }, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method, url, headers, peer: socket.remoteAddress }));
}).listen(Number(port), ip, () => process.stdout.write('listening\n'));
