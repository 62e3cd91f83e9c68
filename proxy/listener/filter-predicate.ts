// When a listener filter leaves a connection alone: `filter_disabled`, asked about the port it was headed to.

import type { ListenerFilterPredicate } from '../../config/listener.ts';

export type PortPredicate = (destinationPort: number) => boolean;

export function compileFilterPredicate(predicate: ListenerFilterPredicate): PortPredicate {
  switch (predicate.kind) {
    case 'any':
      return () => true;
    case 'destination-port': {
      const { firstPort, endPort } = predicate;
      return (port) => port >= firstPort && port < endPort;
    }
    case 'not': {
      const isMet = compileFilterPredicate(predicate.rule);
      return (port) => !isMet(port);
    }
    case 'and': {
      const rules = predicate.rules.map(compileFilterPredicate);
      return (port) => rules.every((isMet) => isMet(port));
    }
    case 'or': {
      const rules = predicate.rules.map(compileFilterPredicate);
      return (port) => rules.some((isMet) => isMet(port));
    }
  }
}
