// What is told of resources to who counts them, where a response alone does not say it.

import type { FilterPlace } from '../decode/discovered-filter.ts';

export interface AssemblyObserver {
  /** Another state of it was accepted, or it is gone. */
  onReload?(typeUrl: string, name: string): void;
  /** A filter in such a place is configured by the resource of this name. */
  onDiscoveredFilter?(place: FilterPlace, name: string): void;
  /** … and what is there already is of no type that its listener allows. */
  onFilterConflict?(place: FilterPlace, name: string): void;
  /** Files of a secret changed, and cannot be used. */
  onKeyRotationFailed?(secret: string): void;
}
