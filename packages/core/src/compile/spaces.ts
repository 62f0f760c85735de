/**
 * The spaces that units of one partition are tried in, each made once, and what a unit accesses there. Trying a unit in
 * many groups, round after round, then costs little: groups over equal spaces share a frame.
 */
import type { Node } from "../graph/node.ts";
import type { Accesses } from "./accesses.ts";
import { type Domain, domainOf, Frame, type Placement } from "./domain.ts";
import type { Partition } from "./partition.ts";

/** A unit in a space. */
export interface Placed extends Accesses {
  readonly placement: Placement;
  /** What the unit read when this was worked out. */
  readonly reads: ReadonlySet<Node>;
}

interface Space {
  readonly frame: Frame;
  readonly placed: Map<Node, Placed>;
}

export class Spaces {
  readonly #partition: Partition;
  readonly #domains = new Map<string, Domain>();
  readonly #domainOf = new Map<Node, Domain>();
  readonly #spaces = new Map<Domain, Space>();

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** The space of a unit by itself; equal ones are the same object. */
  domainOf(unit: Node): Domain {
    let domain = this.#domainOf.get(unit);
    if (!domain) {
      domain = this.#interned(domainOf(unit));
      this.#domainOf.set(unit, domain);
    }
    return domain;
  }

  #interned(domain: Domain): Domain {
    const key = `${domain.shape.join()}:${domain.reduced.join()}`;
    const known = this.#domains.get(key);
    if (known) return known;
    this.#domains.set(key, domain);
    return domain;
  }

  #space(domain: Domain): Space {
    let space = this.#spaces.get(domain);
    if (!space) {
      space = { frame: new Frame(domain), placed: new Map() };
      this.#spaces.set(domain, space);
    }
    return space;
  }

  frame(domain: Domain): Frame {
    return this.#space(domain).frame;
  }

  /** undefined when the unit has no place in the space. */
  place(domain: Domain, unit: Node): Placed | undefined {
    const { frame, placed } = this.#space(domain);
    const placement = frame.place(unit);
    if (!placement) return undefined;
    const reads = this.#partition.reads(unit);
    const known = placed.get(unit);
    if (known?.reads === reads) return known;
    const { accesses, indices, blocked, cuts } = this.#partition.accesses(frame.table, unit, placement.source);
    const fresh: Placed = { placement, reads, accesses, indices, blocked, cuts };
    placed.set(unit, fresh);
    return fresh;
  }
}
