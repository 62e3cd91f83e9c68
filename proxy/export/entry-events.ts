/** What becomes of access log entries that were given away. */
export interface EntryEvents {
  readonly onFlush: (entries: number) => void;
  /** They were on their way when the stream ended. */
  readonly onFlushFail: (entries: number) => void;
  readonly onDrop: (entries: number) => void;
}
