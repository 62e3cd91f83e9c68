// How often pieces of code ran: what load on the machine does not change, where time does.

import { Session } from 'node:inspector/promises';

/** Begin it before the code runs for the first time: what is compiled already is counted by function alone. */
export class StepCounter {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  static async begin(): Promise<StepCounter> {
    const session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    return new StepCounter(session);
  }

  /** How often the blocks of files whose address ends with `file` ran while `work` did, all together. */
  async count(file: string, work: () => void): Promise<number> {
    await this.#session.post('Profiler.takePreciseCoverage');
    work();
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    const functions = result.filter(({ url }) => url.endsWith(file)).flatMap((script) => script.functions);
    return functions.flatMap(({ ranges }) => ranges).reduce((sum, { count }) => sum + count, 0);
  }

  end(): void {
    this.#session.disconnect();
  }
}
