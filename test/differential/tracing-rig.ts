// One proxy between a client and an origin of its own, with collectors of its own, so that both can be observed at once.

import { createHash } from 'node:crypto';
import type { Test } from 'tap';
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { pause } from '../support/pause.ts';
import { startZipkinCollector, type ZipkinCollector } from '../support/zipkin-collector.ts';
import { exchange } from './exchange.ts';
import type { Observation } from './observation.ts';
import { type ProxyOptions, ProxyProcess } from './proxy-process.ts';
import { hello, RecordingOrigin } from './recording-origin.ts';
import { get } from './suite.ts';
import { tracingBootstrap } from './tracing-bootstrap.ts';
import type { Chapter, TraceCase } from './tracing-cases.ts';
import {
  type CallerIds,
  type ObservedSpan,
  observeTrace,
  otlpSpan,
  type TraceFacts,
  zipkinSpan,
} from './tracing-observation.ts';

export type TracedProxy = Pick<ProxyOptions, 'name' | 'command' | 'isReady' | 'directory' | 'started'>;

/** By chapter and case. */
export type Observations = ReadonlyMap<string, Observation>;

type CaseFacts = Omit<TraceFacts, 'spans' | 'names'>;

export async function observeTraces(
  t: Test,
  options: TracedProxy,
  chapters: readonly Chapter[],
): Promise<Observations> {
  const origin = await RecordingOrigin.start();
  t.teardown(() => origin.stop());
  const otlp = await startOtlpCollector(t);
  const zipkin = await startZipkinCollector(t, options.name === 'envoy');
  const bootstrap = tracingBootstrap({
    origin: origin.port,
    otlpHttp: otlp.httpPort,
    otlpGrpc: otlp.grpcPort,
    zipkin: zipkin.port,
  });
  const proxy = await ProxyProcess.start({ ...options, bootstrap });
  const facts = new Map<string, CaseFacts>();
  const seconds = proxy.name === 'outrigger' ? new Seconds(proxy, otlp) : null;
  for (const chapter of chapters) {
    if (chapter.hasOwnSecond) await seconds?.next();
    for (const each of chapter.cases) {
      await seconds?.before(each);
      const name = `${chapter.name}: ${each.name}`;
      facts.set(name, await runCase(each, name, { proxy, origin }));
    }
    if (chapter.hasOwnSecond) await seconds?.next();
  }
  await settled(proxy);
  if (proxy.name === 'envoy') await allExported(proxy, otlp, zipkin);
  await proxy.stop();
  const spans = byCase([...otlp.spans().map(otlpSpan), ...zipkin.spans.map(zipkinSpan)]);
  const names: TraceFacts['names'] = [[new RegExp(`\\b${origin.port}\\b`, 'g'), '<port of the origin>']];
  return new Map([...facts].map(([name, each]) => [name, observeTrace({ ...each, spans: spans(name), names })]));
}

export function callerIds(name: string): CallerIds {
  const digits = createHash('sha256').update(name).digest('hex');
  return { trace: digits.slice(0, 32), span: digits.slice(32, 48) };
}

interface Stage {
  readonly proxy: ProxyProcess;
  readonly origin: RecordingOrigin;
}

async function runCase(each: TraceCase, name: string, { proxy, origin }: Stage): Promise<CaseFacts> {
  origin.expect(each.origin ?? [{ onEnd: hello }]);
  const caller = callerIds(name);
  const { responses } = await exchange(proxy.port(each.listener), {
    send: [sentText(each, name, caller)],
    expects: 1,
    isTcp: false,
    halfCloses: false,
    ...(each.clientResets && { resetsAfter: origin.nextRequest() }),
  });
  return { caller, responses, origin: await origin.received() };
}

function sentText({ send }: TraceCase, name: string, { trace, span }: CallerIds): string {
  return send
    .replaceAll('{trace}', trace)
    .replaceAll('{TRACE}', trace.toUpperCase())
    .replaceAll('{short}', trace.slice(16))
    .replaceAll('{span}', span)
    .replace('\r\n\r\n', `\r\nx-case: ${name}\r\n\r\n`);
}

/** What may make a request a forced one. Of these outrigger exports so many a second. */
const isForced = /force-trace|client-trace-id|x-request-id: \S{14}[ab]|b3-flags: 1|^b3: .*-d/m;
const forcedInSecond = 5;

/** Lets no more happen in one of the seconds that outrigger counts in than it exports of it. */
class Seconds {
  readonly #proxy: ProxyProcess;
  readonly #otlp: OtlpCollector;
  #forced = 0;

  constructor(proxy: ProxyProcess, otlp: OtlpCollector) {
    this.#proxy = proxy;
    this.#otlp = otlp;
  }

  async before({ send }: TraceCase): Promise<void> {
    if (!isForced.test(send)) return;
    if (this.#forced === forcedInSecond) await this.next();
    this.#forced++;
  }

  /** An error that nobody has chosen is exported when the second in which it happened is over. */
  async next(): Promise<void> {
    const otlp = this.#otlp;
    const name = `the end of a second, ${otlp.spans().length}`;
    await exchange(this.#proxy.port('otlp-none'), {
      send: [get('/empty', `x-case: ${name}`)],
      expects: 1,
      isTcp: false,
      halfCloses: false,
    });
    await otlp.until(() => otlp.spans().some(({ attributes }) => attributes['case'] === name));
    this.#forced = 0;
  }
}

/** Requests that a client has left may still be under way. */
async function settled(proxy: ProxyProcess): Promise<void> {
  for (;;) {
    const stats = await proxy.stats('^(http|cluster)\\..*_rq_active$');
    if ([...stats].every(([name, value]) => value === 0 || name.startsWith('http.admin'))) return;
    await pause();
  }
}

async function allExported(proxy: ProxyProcess, otlp: OtlpCollector, zipkin: ZipkinCollector): Promise<void> {
  const stats = await proxy.stats('^tracing\\.');
  const sent = (tracer: string): number => stats.get(`tracing.${tracer}.spans_sent`) ?? 0;
  await otlp.spansAfter(sent('opentelemetry'));
  await zipkin.spansAfter(sent('zipkin'));
}

/** Spans of attempts may not name their case: they are of that of their parent. */
function byCase(spans: readonly ObservedSpan[]): (name: string) => readonly ObservedSpan[] {
  const cases = new Map(spans.filter(({ caseName }) => caseName !== '').map(({ id, caseName }) => [id, caseName]));
  const groups = Map.groupBy(spans, ({ caseName, parentId }) => caseName || cases.get(parentId));
  return (name) => groups.get(name) ?? [];
}
