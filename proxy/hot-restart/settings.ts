// What the command line says about hot restarts, with Envoy's meanings.
// https://www.envoyproxy.io/docs/envoy/latest/operations/cli

export interface HotRestartSettings {
  /** 0 has no parent. */
  readonly epoch: number;
  /** `dynamic`: one that no process has. */
  readonly baseId: number | 'dynamic';
  /** Where the base id is written. */
  readonly baseIdPath?: string;
  readonly socketPath: string;
  readonly socketMode: number;
  /** Without a parent it is a start like any other. */
  readonly startsWithoutParent: boolean;
  readonly carriesStatistics: boolean;
}
