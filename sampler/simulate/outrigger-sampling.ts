// Our sampling, made of the parts that the proxy uses: where a trace begins, the threshold of its key decides (stage 1), the
// other sidecars follow; each keeps errors and slow requests whatever was decided, and holds its budget a second at a
// time (stage 2).

import { type CappedRecord, ExportCap } from '../export-cap.ts';
import type { SlottedKey } from '../key-table.ts';
import { RootRates } from '../root-rates.ts';
import type { SamplingSettings } from '../settings.ts';
import { adjustedCount, isKept, type Threshold } from '../threshold.ts';
import type { SimulatedRequest, SimulatedTrace } from './simulated-request.ts';
import type { Keep, Strategy } from './strategy.ts';

interface Decision {
  readonly threshold: Threshold;
  readonly isKept: boolean;
}

/** Of one service. */
interface Sidecar {
  readonly rates: RootRates;
  readonly cap: ExportCap<SimulatedRecord>;
  readonly keys: Map<string, SlottedKey>;
  /** When in a second it ends its windows: processes do not start at once. */
  readonly phaseMs: number;
}

interface SimulatedRecord extends CappedRecord {
  readonly request: SimulatedRequest;
}

const spanBytes = 500;
const windowMs = 1000;

export class OutriggerSampling implements Strategy {
  mostHeld = 0;
  spansSent = 0;
  readonly #settings: SamplingSettings;
  readonly #keep: Keep;
  readonly #sidecars = new Map<string, Sidecar>();
  readonly #decisions = new WeakMap<SimulatedTrace, Decision>();

  constructor(settings: SamplingSettings, keep: Keep) {
    this.#settings = settings;
    this.#keep = keep;
  }

  onArrival(request: SimulatedRequest): void {
    const { trace } = request;
    if (this.#decisions.has(trace)) return;
    const { rates, keys } = this.#sidecar(request.service);
    const id = keyText(request);
    let key = keys.get(id);
    if (key === undefined) {
      const { service, route, method } = request;
      key = rates.keyFor({ service, route, method, headerRule: -1 });
      keys.set(id, key);
    }
    rates.arrived(key, 1);
    const threshold = rates.thresholdOf(key);
    this.#decisions.set(trace, { threshold, isKept: isKept(trace.random, threshold) });
  }

  onEnd(request: SimulatedRequest): void {
    const { threshold, isKept: headKept } = this.#decisions.get(request.trace)!;
    const reason = this.#outcomeOf(request) ?? (headKept ? 'head' : null);
    if (reason === null) return;
    this.#sidecar(request.service).cap.offer({
      request,
      reason,
      threshold,
      headKept,
      random: request.trace.random,
      key: keyText(request),
      signature: signatureOf(request),
      sizeBytes: spanBytes,
    });
  }

  onTick(nowMs: number): void {
    let held = 0;
    for (const { rates, cap, phaseMs } of this.#sidecars.values()) {
      rates.step(nowMs);
      if ((nowMs + phaseMs) % windowMs === 0) held += this.#take(cap, nowMs, false);
    }
    this.mostHeld = Math.max(this.mostHeld, held);
  }

  onClose(nowMs: number): void {
    for (const { cap } of this.#sidecars.values()) this.#take(cap, nowMs, true);
  }

  #take(cap: ExportCap<SimulatedRecord>, nowMs: number, isFinal: boolean): number {
    const { kept } = cap.close(nowMs, isFinal);
    this.spansSent += kept.length;
    for (const { record, threshold } of kept) {
      this.#keep({ request: record.request, atMs: nowMs, weight: threshold === null ? 0 : adjustedCount(threshold) });
    }
    return kept.length;
  }

  #outcomeOf({ status, durationMs }: SimulatedRequest): 'error' | 'slow' | null {
    const { errors, slow } = this.#settings;
    if (errors.keep && errors.http.some(([first, last]) => status >= first && status <= last)) return 'error';
    return slow !== undefined && durationMs > slow.overMs ? 'slow' : null;
  }

  #sidecar(service: string): Sidecar {
    let sidecar = this.#sidecars.get(service);
    if (sidecar === undefined) {
      const rates = new RootRates(this.#settings);
      const cap = new ExportCap<SimulatedRecord>(this.#settings, rates.tracesPerSecond);
      sidecar = { rates, cap, keys: new Map(), phaseMs: (this.#sidecars.size * 300) % windowMs };
      this.#sidecars.set(service, sidecar);
    }
    return sidecar;
  }
}

function keyText({ service, route, method }: SimulatedRequest): string {
  return `${service} ${route} ${method}`;
}

/** What makes errors alike: the route and the status. FNV-1a. */
function signatureOf({ route, status }: SimulatedRequest): number {
  let hash = 0x811c9dc5;
  for (const character of `${route} ${status}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}
