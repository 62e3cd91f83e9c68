// What a bounded room is shared by: who holds how much of it, and who holds the most. Whoever comes to a full room takes a
// place of the one that holds the most, as packets do in the buffers of switches (Demers, Keshav and Shenker, "Analysis and
// simulation of a fair queueing algorithm", SIGCOMM 1989; McKenney, "Stochastic fairness queueing", 1990). So no share has to be
// kept free for those who may come, and nobody who holds one place loses it as long as places are more than clients.

export interface Holder<T> {
  readonly client: string;
  /** The newest last. */
  readonly held: Set<T>;
}

export class Shares<T> {
  /** Those that hold something. */
  readonly #holders = new Map<string, Holder<T>>();
  /** … by how much that is; the last one is not empty. */
  readonly #byCount: Set<Holder<T>>[] = [];

  heldBy(client: string): number {
    return this.#holders.get(client)?.held.size ?? 0;
  }

  /** The one that holds the most, and has done so for longest. */
  get greediest(): Holder<T> | undefined {
    const [first] = this.#byCount.at(-1) ?? [];
    return first;
  }

  add(client: string, item: T): void {
    let holder = this.#holders.get(client);
    if (holder === undefined) {
      holder = { client, held: new Set() };
      this.#holders.set(client, holder);
    }
    this.#byCount[holder.held.size]?.delete(holder);
    holder.held.add(item);
    this.#place(holder);
  }

  delete(client: string, item: T): void {
    const holder = this.#holders.get(client)!;
    this.#byCount[holder.held.size]!.delete(holder);
    holder.held.delete(item);
    if (holder.held.size === 0) this.#holders.delete(client);
    else this.#place(holder);
    while (this.#byCount.at(-1)?.size === 0) this.#byCount.pop();
  }

  #place(holder: Holder<T>): void {
    const { size } = holder.held;
    while (this.#byCount.length <= size) this.#byCount.push(new Set());
    this.#byCount[size]!.add(holder);
  }
}

/** Those before it are nearer to what they wait for. */
export function newestOf<T>({ held }: Holder<T>): T {
  let newest: T | undefined;
  for (const each of held) newest = each;
  return newest!;
}
