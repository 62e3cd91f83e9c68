// An application of a pod: answers each request with what it has seen of it, as JSON.
// `node http-application.ts IP PORT [CERTIFICATE KEY]`: with files of a certificate and a key it speaks TLS itself.

import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

const [ip, port, certificate, key] = process.argv.slice(2);

const answer: RequestListener = ({ method, url, headers, socket }, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method, url, headers, peer: socket.remoteAddress }));
};

const server =
  certificate === undefined
    ? createServer(answer)
    : createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key!) }, answer);
server.listen(Number(port), ip, () => process.stdout.write('listening\n'));
