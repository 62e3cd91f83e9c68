// Nanoseconds a message for the HTTP/1.1 codec alone: `node bench/micro/http1.ts [--seconds N]`. One thread, no
// sockets; the best of several rounds, because on a shared machine every disturbance only adds.

import { parseArgs } from 'node:util';
import { requestHeadBound, writeRequestHead, writeResponseHead } from '../../proxy/http/http1/head-writer.ts';
import { sanitizeRequest, sanitizeResponse } from '../../proxy/http/http1/hop-by-hop.ts';
import { RequestParser } from '../../proxy/http/http1/request-parser.ts';
import { ResponseParser } from '../../proxy/http/http1/response-parser.ts';
import { RequestHead, ResponseHead } from '../../proxy/http/message.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '5' } } });
const rounds = 20;

const wrkRequest = 'GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:10000\r\n\r\n';
const nginxResponse =
  'HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n' +
  'Content-Type: application/octet-stream\r\nContent-Length: 100\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n' +
  'Connection: keep-alive\r\nETag: "65920080-64"\r\nAccept-Ranges: bytes\r\n\r\n';
const browserRequest = [
  'GET /api/v1/orders/1234567?expand=items HTTP/1.1',
  'Host: orders.shop.svc.cluster.local:8080',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language: en-US,en;q=0.5',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Connection: keep-alive',
  'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark',
  'Upgrade-Insecure-Requests: 1',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: none',
  'Sec-Fetch-User: ?1',
  'Priority: u=0, i',
  'X-Request-Id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  'X-Forwarded-For: 10.1.2.3',
  'X-Forwarded-Proto: https',
  'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'tracestate: ot=th:c',
  'X-B3-Sampled: 1',
  'Cache-Control: no-cache',
  '\r\n',
].join('\r\n');

const requestParser = new RequestParser({
  maxHeadersBytes: 60 * 1024,
  maxHeadersCount: 100,
  underscores: 'allow',
  allowAbsoluteUrl: true,
  allowCustomMethods: false,
  acceptHttp10: false,
  defaultHostForHttp10: '',
  rejectPathWithFragment: true,
});
const responseParser = new ResponseParser({ maxHeadersBytes: 60 * 1024, maxHeadersCount: 100 });
const requestHead = new RequestHead();
const responseHead = new ResponseHead();
const output = Buffer.alloc(64 * 1024);
/** Requests differ from one to the next as real ones do, so that remembered strings do not flatter. */
const variants = 16;

function placed(text: string): Buffer {
  const bytes = Buffer.alloc(64 * 1024);
  bytes.latin1Write(text, 0);
  return bytes;
}

function requests(text: string, isVaried: boolean): Buffer[] {
  return Array.from({ length: variants }, (_, index) =>
    placed(isVaried ? text.replace(' HTTP', `${String.fromCharCode(97 + index)} HTTP`) : text),
  );
}

function expectLength(got: number, wanted: number): void {
  if (got !== wanted) throw new Error(`took ${got} bytes instead of ${wanted}`);
}

function parsesRequests(inputs: readonly Buffer[], length: number): (count: number) => void {
  return (count) => {
    for (let index = 0; index < count; index++) {
      expectLength(requestParser.parse(inputs[index % variants]!, 0, length, requestHead), length);
    }
  };
}

const response = placed(nginxResponse);
const fixed = requests(wrkRequest, false);
const varied = requests(wrkRequest, true);
const large = requests(browserRequest, true);
const cases: readonly { readonly name: string; readonly run: (count: number) => void }[] = [
  { name: `request, ${wrkRequest.length} bytes, same path`, run: parsesRequests(fixed, wrkRequest.length) },
  { name: `request, ${wrkRequest.length + 1} bytes, path changes`, run: parsesRequests(varied, wrkRequest.length + 1) },
  {
    name: `request, 20 fields, ${browserRequest.length + 1} bytes`,
    run: parsesRequests(large, browserRequest.length + 1),
  },
  {
    name: `response, 8 fields, ${nginxResponse.length} bytes`,
    run: (count) => {
      for (let index = 0; index < count; index++) {
        const length = responseParser.parse(response, 0, nginxResponse.length, responseHead, 'GET');
        expectLength(length, nginxResponse.length);
      }
    },
  },
  {
    name: 'request and response: parse, remove hop-by-hop, write',
    run: (count) => {
      for (let index = 0; index < count; index++) {
        const length = wrkRequest.length + 1;
        expectLength(requestParser.parse(varied[index % variants]!, 0, length, requestHead), length);
        sanitizeRequest(requestHead);
        if (requestHeadBound(requestHead) > output.length) throw new Error('the output is too small');
        writeRequestHead(requestHead, output, 0);
        expectLength(
          responseParser.parse(response, 0, nginxResponse.length, responseHead, 'GET'),
          nginxResponse.length,
        );
        sanitizeResponse(responseHead);
        writeResponseHead(responseHead, output, 0);
      }
    },
  },
];

function nanoseconds(run: (count: number) => void): number {
  const budgetMs = (Number(values.seconds) * 1000) / cases.length / (rounds + 2);
  run(20_000);
  let count = 20_000;
  const calibrationStart = performance.now();
  run(count);
  count = Math.max(1000, Math.round((count * budgetMs) / Math.max(0.001, performance.now() - calibrationStart)));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    run(count);
    best = Math.min(best, ((performance.now() - start) * 1e6) / count);
  }
  return best;
}

for (const { name, run } of cases) console.log(`${nanoseconds(run).toFixed(0).padStart(6)} ns  ${name}`);
