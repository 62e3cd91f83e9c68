// How a sidecar ends at SIGTERM, as Istio's agent ends its Envoy: clients from outside are asked to leave, and new ones are
// served all the while, since those who send them do not know yet. What the application itself opens goes on to the end: one
// that shuts down still calls others. https://github.com/istio/istio/blob/master/pkg/envoy/agent.go (Agent.terminate)
//
// A sidecar whose clients were asked to leave before, by the hook of a native sidecar, ends at once: its SIGTERM comes when
// the application has ended.

export interface TerminationSettings {
  /** `terminationDrainDuration`: how long it goes on where it does not wait for connections. */
  readonly drainMs: number;
  /** `EXIT_ON_ZERO_ACTIVE_CONNECTIONS`: it goes on until nobody is connected, however long that takes. */
  readonly waitsForConnections: boolean;
  /** `MINIMUM_DRAIN_DURATION`: … and as long as this in any case. */
  readonly minimumDrainMs: number;
  /** `drainDuration`: then inbound listeners accept no more, as Envoy's. */
  readonly acceptsForMs: number;
}

export type TerminationState =
  | { readonly kind: 'serving' }
  /** Clients were asked to leave by a hook. */
  | { readonly kind: 'asked-before' }
  | { readonly kind: 'draining'; readonly sinceMs: number; readonly accepts: boolean }
  | { readonly kind: 'over' };

export type TerminationEvent =
  /** The hook of a native sidecar. */
  | { readonly kind: 'clients-asked' }
  /** SIGTERM. */
  | { readonly kind: 'told-to-end' }
  /** Some time is over. */
  | { readonly kind: 'look'; readonly openConnections: number };

export type TerminationOrder =
  /** Inbound clients are asked to leave; new ones are accepted. */
  | { readonly kind: 'drain-inbound' }
  | { readonly kind: 'stop-inbound' }
  | { readonly kind: 'look-again'; readonly afterMs: number }
  | { readonly kind: 'end'; readonly why: string };

export interface TerminationStep {
  readonly state: TerminationState;
  readonly orders: readonly TerminationOrder[];
}

export const serving: TerminationState = { kind: 'serving' };

/** What becomes of it by an event at this time. */
export function nextTermination(
  state: TerminationState,
  event: TerminationEvent,
  { nowMs, settings }: { readonly nowMs: number; readonly settings: TerminationSettings },
): TerminationStep {
  switch (event.kind) {
    case 'clients-asked':
      return { state: state.kind === 'serving' ? { kind: 'asked-before' } : state, orders: [] };
    case 'told-to-end': {
      if (state.kind === 'asked-before')
        return over('clients were asked to leave before, and the application has ended');
      if (state.kind !== 'serving') return over('it was told so again');
      const { orders, ...next } = look({ kind: 'draining', sinceMs: nowMs, accepts: true }, undefined, {
        nowMs,
        settings,
      });
      return { ...next, orders: [{ kind: 'drain-inbound' }, ...orders] };
    }
    case 'look':
      return state.kind === 'draining'
        ? look(state, event.openConnections, { nowMs, settings })
        : { state, orders: [] };
  }
}

function look(
  state: Extract<TerminationState, { kind: 'draining' }>,
  openConnections: number | undefined,
  { nowMs, settings }: { readonly nowMs: number; readonly settings: TerminationSettings },
): TerminationStep {
  const { waitsForConnections, acceptsForMs } = settings;
  const leastMs = waitsForConnections ? settings.minimumDrainMs : settings.drainMs;
  const passedMs = nowMs - state.sinceMs;
  const isLeastOver = passedMs >= leastMs && openConnections !== undefined;
  if (isLeastOver && !waitsForConnections) return over('the drain time is over; what is still open is closed');
  if (isLeastOver && openConnections === 0) return over('nobody is connected any more');
  const stops = state.accepts && passedMs >= acceptsForMs;
  const accepts = state.accepts && !stops;
  const waits = [isLeastOver ? lookEveryMs : leastMs - passedMs, ...(accepts ? [acceptsForMs - passedMs] : [])];
  const again: TerminationOrder = { kind: 'look-again', afterMs: Math.max(0, Math.min(...waits)) };
  return { state: { ...state, accepts }, orders: stops ? [{ kind: 'stop-inbound' }, again] : [again] };
}

function over(why: string): TerminationStep {
  return { state: { kind: 'over' }, orders: [{ kind: 'end', why }] };
}

/** Between two looks whether somebody is connected, as Istio's agent has it. */
const lookEveryMs = 1000;

/** What a termination does, and asks. */
export interface TerminationActions {
  drainInbound(): void;
  stopInbound(): void;
  end(why: string): void;
  /** Of all listeners, which those of the admin interface, probes and metrics are not. */
  openConnections(): number;
}

export interface TerminationOptions {
  readonly settings: TerminationSettings;
  readonly clock: () => number;
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, callback: () => void) => void;
}

/** One process's way through those states. */
export class Termination {
  readonly #options: TerminationOptions;
  #state = serving;

  constructor(options: TerminationOptions) {
    this.#options = options;
  }

  /** What those who ask for its readiness are told. */
  get words(): string {
    const { waitsForConnections, drainMs } = this.#options.settings;
    const end = waitsForConnections ? 'when nobody is connected' : `in ${drainMs / 1000} s`;
    return `SIGTERM has come; clients from outside are asked to leave, and the sidecar ends ${end}`;
  }

  onClientsAsked(): void {
    this.#state = this.#next({ kind: 'clients-asked' }).state;
  }

  begin(actions: TerminationActions): void {
    this.#act({ kind: 'told-to-end' }, actions);
  }

  #act(event: TerminationEvent, actions: TerminationActions): void {
    const { state, orders } = this.#next(event);
    this.#state = state;
    for (const order of orders) {
      switch (order.kind) {
        case 'drain-inbound':
          actions.drainInbound();
          break;
        case 'stop-inbound':
          actions.stopInbound();
          break;
        case 'look-again':
          this.#options.schedule(order.afterMs, () => {
            this.#act({ kind: 'look', openConnections: actions.openConnections() }, actions);
          });
          break;
        case 'end':
          actions.end(order.why);
      }
    }
  }

  #next(event: TerminationEvent): TerminationStep {
    const { clock, settings } = this.#options;
    return nextTermination(this.#state, event, { nowMs: clock(), settings });
  }
}
