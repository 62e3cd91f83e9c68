// `outrigger request METHOD PATH [BODY]`: asks a port of the sidecar and prints the answer, with the arguments of
// `pilot-agent request`: for hooks of Istio's injector (`POST drain`) and for istioctl, which reads the answer as JSON.

import { ConfigError } from '../../config/problems.ts';
import { askLoopback } from '../sidecar/loopback-request.ts';
import { readProgramOptions } from './program-options.ts';

export interface RequestOptions {
  readonly method: string;
  /** With its slash. */
  readonly path: string;
  readonly body: string;
  readonly port: number;
}

/** Admin, pilot's debugging, status, health: whoever may run a command in the pod gets no way to other ports by it. */
const allowedPorts: readonly string[] = ['15000', '15004', '15020', '15021'];
const timeoutMs = 60_000;
const subject = 'the arguments of request';

/** Throws `ConfigError`. */
export function readRequestArguments(args: readonly string[]): RequestOptions {
  const names = ['debug-port'];
  const { values, positionals } = readProgramOptions({ subject, args, names, allowsPositionals: true });
  const [method, path, body = '', ...more] = positionals;
  if (method === undefined || path === undefined) fail('', 'METHOD and PATH are needed: request GET server_info');
  if (more.length > 0) fail('', `${JSON.stringify(more[0])} is too much: METHOD, PATH and BODY are taken`);
  if (!/^[A-Za-z]+$/.test(method)) fail('', `${JSON.stringify(method)} is no method of HTTP`);
  if (!/^[!-~]*$/.test(path)) fail('', 'the path must be printable ASCII without spaces: encode what is not');
  const port = values['debug-port'] ?? allowedPorts[0]!;
  if (!allowedPorts.includes(port)) fail('--debug-port', `${port} is not one of ${allowedPorts.join(', ')}`);
  return { method: method.toUpperCase(), path: `/${path.replace(/^\//, '')}`, body, port: Number(port) };
}

/** The body of the answer. Rejects with a sentence for people when there is none, or its status is an error's. */
export async function askSidecar({ method, path, body, port }: RequestOptions): Promise<string> {
  const answer = await askLoopback({ port, method, path, body, timeoutMs }).catch(({ message }: Error) => {
    throw new Error(`port ${port} does not answer: ${message}`);
  });
  if (answer.status < 400) return answer.body;
  throw new Error(`${method} ${path} of port ${port} was answered ${answer.status}: ${answer.body.trim()}`);
}

function fail(path: string, message: string): never {
  throw new ConfigError(subject, [{ path, message }]);
}
