// `outrigger wait`: ends when the sidecar is ready, for hooks that hold an application back until then (`postStart`), with
// the arguments of `pilot-agent wait`.

import { request } from 'node:http';
import { ConfigError } from '../../config/problems.ts';
import { readProgramOptions } from './program-options.ts';

export interface WaitOptions {
  readonly url: URL;
  readonly timeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly periodMs: number;
}

/** Throws `ConfigError`. */
export function readWaitArguments(args: readonly string[]): WaitOptions {
  const subject = 'the arguments of wait';
  const { values } = readProgramOptions({ subject, args, names: optionNames, allowsPositionals: false });
  const number = (name: string, otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (Number.isFinite(value) && value > 0) return value;
    throw new ConfigError(subject, [{ path: `--${name}`, message: `must be a number above 0, not ${values[name]}` }]);
  };
  const url = values['url'] ?? 'http://localhost:15021/healthz/ready';
  if (!URL.canParse(url) || !url.startsWith('http://')) {
    throw new ConfigError(subject, [{ path: '--url', message: `${url} is no address that begins with http://` }]);
  }
  return {
    url: new URL(url),
    timeoutMs: number('timeoutSeconds', 60) * 1000,
    requestTimeoutMs: number('requestTimeoutMillis', 500),
    periodMs: number('periodMillis', 500),
  };
}

/** Undefined once it is ready; otherwise the last reason why not, when the time is over. */
export async function waitUntilReady({
  url,
  timeoutMs,
  requestTimeoutMs,
  periodMs,
}: WaitOptions): Promise<string | undefined> {
  const { promise: isOver, resolve: end } = Promise.withResolvers<'over'>();
  const timer = setTimeout(() => end('over'), timeoutMs);
  for (;;) {
    const reason = await ask(url, requestTimeoutMs);
    if (reason === undefined) clearTimeout(timer);
    if (reason === undefined) return undefined;
    if ((await Promise.race([isOver, after(periodMs)])) === 'over') return reason;
  }
}

function ask(url: URL, timeoutMs: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const signal = AbortSignal.timeout(timeoutMs);
  const call = request(url, { agent: false, signal }, (response) => {
    response.destroy();
    resolve(response.statusCode === 200 ? undefined : `${url.href} answered ${response.statusCode}`);
  });
  const late = `no answer within ${timeoutMs} ms (--requestTimeoutMillis)`;
  call.on('error', (error) => resolve(`${url.href}: ${signal.aborted ? late : error.message}`));
  call.end();
  return promise;
}

function after(delayMs: number): Promise<'again'> {
  const { promise, resolve } = Promise.withResolvers<'again'>();
  setTimeout(() => resolve('again'), delayMs);
  return promise;
}

const optionNames = ['url', 'timeoutSeconds', 'requestTimeoutMillis', 'periodMillis'];
