import t from 'tap';
import type { TlsInspectorFilter } from '../../../config/listener.ts';
import { type ConnectionFindings, Verdict } from '../../../proxy/listener/listener-filter.ts';
import { TlsInspector } from '../../../proxy/listener/tls-inspector.ts';
import { tlsInspectorStats } from '../../../proxy/telemetry/listener-filter-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { helloBytes, inRecords } from '../../support/client-hellos.ts';

function inspector(config: Partial<TlsInspectorFilter> = {}) {
  const stats = new WorkerStats(() => undefined).block(tlsInspectorStats);
  const defaults = { kind: 'tls-inspector', maxClientHelloBytes: 65_536, closesOnParsingErrors: false } as const;
  const found: ConnectionFindings = { transportProtocol: '', serverName: '', applicationProtocols: [] };
  const filter = new TlsInspector({ ...defaults, ...config }, stats);
  const inspect = (bytes: Buffer) => filter.inspect({ bytes, end: bytes.length, seen: 0, found });
  /** Names of the counters that are one. */
  const counted = () =>
    Object.keys(tlsInspectorStats).filter(
      (key) => key !== 'scope' && key !== 'bytesProcessed' && stats.get(tlsInspectorStats[key as 'tlsFound']) === 1,
    );
  return { found, inspect, counted };
}

t.test('a ClientHello says where to and what for', (t) => {
  const { found, inspect, counted } = inspector();
  t.equal(inspect(inRecords(helloBytes({ serverName: 'a.example', protocols: ['h2'] }))), Verdict.done);
  t.same(found, { transportProtocol: 'tls', serverName: 'a.example', applicationProtocols: ['h2'] });
  t.same(counted(), ['tlsFound', 'alpnFound', 'sniFound']);
  t.end();
});

t.test('or neither', (t) => {
  const { found, inspect, counted } = inspector();
  t.equal(inspect(inRecords(helloBytes({}))), Verdict.done);
  t.same(found, { transportProtocol: 'tls', serverName: '', applicationProtocols: [] });
  t.same(counted(), ['tlsFound', 'alpnNotFound', 'sniNotFound']);
  t.end();
});

t.test('more is awaited while it may be one', (t) => {
  const { inspect, counted } = inspector();
  t.equal(inspect(inRecords(helloBytes({})).subarray(0, 50)), Verdict.needsMore);
  t.same(counted(), []);
  t.end();
});

t.test('anything else is plain bytes, or refused', (t) => {
  const lenient = inspector();
  t.equal(lenient.inspect(Buffer.from('GET')), Verdict.done);
  t.same(lenient.found, { transportProtocol: '', serverName: '', applicationProtocols: [] });
  t.same(lenient.counted(), ['tlsNotFound']);
  const strict = inspector({ closesOnParsingErrors: true });
  t.equal(strict.inspect(Buffer.from('GET')), Verdict.refused);
  t.same(strict.counted(), []);
  t.end();
});

t.test('a ClientHello that is too large is refused', (t) => {
  const { inspect, counted } = inspector({ maxClientHelloBytes: 256 });
  t.equal(inspect(inRecords(helloBytes({ serverName: 'a'.repeat(250) }))), Verdict.refused);
  t.same(counted(), ['clientHelloTooLarge']);
  t.end();
});
