/** Which ends of a connection can have bytes queued past TCP, in the short-circuit. */
export const Membership = { both: 0, peer: 1, none: 2 } as const;
export type Membership = (typeof Membership)[keyof typeof Membership];
