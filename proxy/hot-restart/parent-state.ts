// Where a process stands towards its successor, as one function of what happens; see the README for the whole picture.
// Peers are numbered in the order in which they connect.

export type ParentState =
  /** Nothing is served that could be handed over. */
  | { readonly kind: 'starting' }
  | { readonly kind: 'serving' }
  /** A successor gets ready; we serve. */
  | { readonly kind: 'accompanied'; readonly successor: number }
  /** It serves. There is no way back. */
  | { readonly kind: 'retiring'; readonly successor: number };

export type ParentEvent =
  /** Every worker of ours serves. */
  | { readonly kind: 'serves' }
  /** Right in version and epoch. */
  | { readonly kind: 'hello'; readonly peer: number }
  | { readonly kind: 'sockets'; readonly peer: number }
  | { readonly kind: 'take-over'; readonly peer: number }
  /** The peer is gone. */
  | { readonly kind: 'gone'; readonly peer: number };

export type ParentAction =
  | { readonly kind: 'none' }
  | { readonly kind: 'welcome' }
  | { readonly kind: 'refuse'; readonly reason: string }
  | { readonly kind: 'pass-sockets' }
  | { readonly kind: 'retire' }
  /** A successor that got ready has left: we go on as before. */
  | { readonly kind: 'go-on' }
  /** A peer said what it may not say now. */
  | { readonly kind: 'close' };

export function parentTransition(state: ParentState, event: ParentEvent): readonly [ParentState, ParentAction] {
  switch (event.kind) {
    case 'serves':
      return state.kind === 'starting' ? [{ kind: 'serving' }, none] : [state, none];
    case 'hello':
      return onHello(state, event.peer);
    case 'sockets':
      return [state, state.kind === 'accompanied' && state.successor === event.peer ? passSockets : close];
    case 'take-over':
      return state.kind === 'accompanied' && state.successor === event.peer
        ? [{ kind: 'retiring', successor: event.peer }, { kind: 'retire' }]
        : [state, close];
    case 'gone':
      return state.kind === 'accompanied' && state.successor === event.peer
        ? [{ kind: 'serving' }, { kind: 'go-on' }]
        : [state, none];
  }
}

function onHello(state: ParentState, peer: number): readonly [ParentState, ParentAction] {
  switch (state.kind) {
    case 'starting':
      return [state, refusal('does not serve yet itself')];
    case 'serving':
      return [{ kind: 'accompanied', successor: peer }, { kind: 'welcome' }];
    case 'accompanied':
      return [state, state.successor === peer ? close : refusal('has a successor that is getting ready')];
    case 'retiring':
      return [state, state.successor === peer ? close : refusal('has a successor that serves')];
  }
}

function refusal(reason: string): ParentAction {
  return { kind: 'refuse', reason };
}

const none: ParentAction = { kind: 'none' };
const passSockets: ParentAction = { kind: 'pass-sockets' };
const close: ParentAction = { kind: 'close' };
