// Where a process stands towards the one that it succeeds, as one function of what happens; see the README.

export type SuccessorState =
  /** Sockets are asked for as listeners come; the parent serves. */
  | { readonly kind: 'loading' }
  /** We serve, and have told the parent so. */
  | { readonly kind: 'taking-over' }
  /** The parent drains. Listeners that come now open their own sockets. */
  | { readonly kind: 'succeeded' }
  /** There is no parent, or not any more. */
  | { readonly kind: 'alone' };

export type SuccessorEvent =
  /** Every worker of ours serves. */
  | { readonly kind: 'serves' }
  | { readonly kind: 'retired' }
  /** The parent has left or died. */
  | { readonly kind: 'gone' };

export type SuccessorAction =
  | { readonly kind: 'none' }
  | { readonly kind: 'take-over' }
  /** The admin address is free. */
  | { readonly kind: 'open-admin' }
  /** As `open-admin`; the parent died before it retired, with the requests that it had. */
  | { readonly kind: 'go-on-alone' }
  /** Nobody asked for what it says. */
  | { readonly kind: 'distrust' };

export function successorTransition(
  state: SuccessorState,
  event: SuccessorEvent,
): readonly [SuccessorState, SuccessorAction] {
  switch (state.kind) {
    case 'loading':
      if (event.kind === 'serves') return [{ kind: 'taking-over' }, { kind: 'take-over' }];
      return event.kind === 'gone' ? [alone, { kind: 'go-on-alone' }] : [state, { kind: 'distrust' }];
    case 'taking-over':
      if (event.kind === 'retired') return [{ kind: 'succeeded' }, { kind: 'open-admin' }];
      return event.kind === 'gone' ? [alone, { kind: 'go-on-alone' }] : [state, none];
    case 'succeeded':
      return event.kind === 'gone' ? [alone, none] : [state, none];
    case 'alone':
      return [state, none];
  }
}

const alone: SuccessorState = { kind: 'alone' };
const none: SuccessorAction = { kind: 'none' };
