// What the parts of an assembler have in common.

import type { DiscoveryLog, Schedule } from '../client/discovery.ts';
import type { AssemblyObserver } from './assembly-observer.ts';
import type { ReferenceCounts } from './reference-counts.ts';
import type { SnapshotChanges } from './snapshot-changes.ts';
import type { ResourceSources } from './subscribed-type.ts';

export interface AssemblyContext {
  readonly sources: ResourceSources;
  readonly changes: SnapshotChanges;
  /** Clusters that the served route configurations and listeners name. */
  readonly references: ReferenceCounts;
  readonly schedule: Schedule;
  readonly observer: AssemblyObserver;
  readonly log: DiscoveryLog;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Something is to be done at the end of this turn of the event loop. */
  readonly onDue: () => void;
}
