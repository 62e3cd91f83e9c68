// Asks the health service of a gRPC server once (https://github.com/grpc/grpc/blob/master/doc/health-checking.md), for
// probes of kind grpc. Its two messages are of one field each.

import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { ProbeResult } from './app-probe.ts';

/** `address` is `ip:port`, in clear text as the kubelet asks. Never rejects. */
export function checkGrpcHealth(address: string, service: string, timeoutMs: number): Promise<ProbeResult> {
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  const client = new Client(address, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
  const deadline = Date.now() + timeoutMs;
  client.makeUnaryRequest(METHOD, encodeName, statusOf, service, new Metadata(), { deadline }, (error, status) => {
    client.close();
    if (error !== null) resolve({ status: 500, text: `the application cannot be asked: ${error.details}` });
    else if (status === SERVING) resolve({ status: 200, text: 'the application serves' });
    else resolve({ status: 500, text: `the application says that it does not serve (status ${status})` });
  });
  return promise;
}

/** `HealthCheckRequest`. */
function encodeName(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return name;
  const head = [0x0a];
  for (let rest = name.length; ; rest >>>= 7) {
    head.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) break;
  }
  return Buffer.concat([Buffer.from(head), name]);
}

/** `HealthCheckResponse`: one enum, which is not there when it is 0. */
function statusOf(response: Buffer): number {
  return response.length === 2 && response[0] === 0x08 ? response[1]! : 0;
}

const METHOD = '/grpc.health.v1.Health/Check';
const SERVING = 1;
