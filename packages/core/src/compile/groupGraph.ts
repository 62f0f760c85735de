const none: ReadonlySet<never> = new Set();

/**
 * Which group of units must run before which, kept up to date as groups grow. Depths (the longest chain of groups before
 * one) prune the searches, so that long recurrences compile in about linear time.
 */
export class GroupGraph<Group extends { readonly id: number }> {
  readonly #producers = new Map<Group, Set<Group>>();
  readonly #consumers = new Map<Group, Set<Group>>();
  readonly #depths = new Map<Group, number>();

  producers(group: Group): ReadonlySet<Group> {
    return this.#producers.get(group) ?? none;
  }

  depth(group: Group): number {
    return this.#depths.get(group) ?? 0;
  }

  /** `group` reads something of each producer. */
  link(group: Group, producers: Iterable<Group>): void {
    const own = this.#setOf(this.#producers, group);
    for (const producer of producers) {
      if (producer === group) continue;
      own.add(producer);
      this.#setOf(this.#consumers, producer).add(group);
    }
    this.#raise(group);
  }

  #raise(start: Group): void {
    const stack = [start];
    for (let group = stack.pop(); group !== undefined; group = stack.pop()) {
      let depth = 0;
      for (const producer of this.producers(group)) depth = Math.max(depth, 1 + this.depth(producer));
      if (depth === this.depth(group)) continue;
      this.#depths.set(group, depth);
      for (const consumer of this.#consumers.get(group) ?? []) stack.push(consumer);
    }
  }

  /** Whether `group` must run after `other`, or is it. */
  dependsOn(group: Group, other: Group): boolean {
    if (group === other) return true;
    const floor = this.depth(other);
    if (this.depth(group) <= floor) return false;
    const seen = new Set([group]);
    const stack = [group];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (next === other) return true;
      if (this.depth(next) <= floor) continue;
      for (const producer of this.producers(next)) {
        if (!seen.has(producer)) {
          seen.add(producer);
          stack.push(producer);
        }
      }
    }
    return false;
  }

  /** The groups in an order in which they can run: each as early in the list's order as what it reads allows. */
  schedule(groups: readonly Group[]): Group[] {
    const order: Group[] = [];
    const done = new Set<Group>();
    const visit = (group: Group): void => {
      if (done.has(group)) return;
      done.add(group);
      for (const producer of [...this.producers(group)].sort((a, b) => a.id - b.id)) visit(producer);
      order.push(group);
    };
    for (const group of groups) visit(group);
    return order;
  }

  /** `joined` takes the place of both. */
  join(a: Group, b: Group, joined: Group): void {
    const producers = [...this.producers(a), ...this.producers(b)].filter((g) => g !== a && g !== b);
    const consumers = [...(this.#consumers.get(a) ?? []), ...(this.#consumers.get(b) ?? [])].filter(
      (g) => g !== a && g !== b,
    );
    for (const gone of [a, b]) {
      for (const producer of this.producers(gone)) this.#consumers.get(producer)?.delete(gone);
      for (const consumer of this.#consumers.get(gone) ?? []) this.#producers.get(consumer)?.delete(gone);
      this.#producers.delete(gone);
      this.#consumers.delete(gone);
      this.#depths.delete(gone);
    }
    this.link(joined, producers);
    for (const consumer of consumers) this.link(consumer, [joined]);
  }

  #setOf(map: Map<Group, Set<Group>>, group: Group): Set<Group> {
    let set = map.get(group);
    if (!set) {
      set = new Set();
      map.set(group, set);
    }
    return set;
  }
}
