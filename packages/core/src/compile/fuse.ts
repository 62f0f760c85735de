/**
 * Which units share a kernel. Units are taken in order; each joins the kernel of something it reads, or of something
 * that reads the same memory over the same space, when the spaces fit, when every value passed between them stands at the
 * same iteration, and when no other kernel would have to run in between.
 */
import type { Node } from "../graph/node.ts";
import { sameShape, sizeOf } from "../graph/shape.ts";
import { areNested, type Coordinate, type Cuts, sameCoordinate } from "./coordinates.ts";
import { type Domain, hasInner } from "./domain.ts";
import { GroupGraph } from "./groupGraph.ts";
import { isContraction, isOpaque, Partition } from "./partition.ts";
import { isReduce } from "./simplify.ts";
import type { Spaces } from "./spaces.ts";

export interface Group {
  readonly id: number;
  readonly kind: "loop" | "contraction" | "indexed";
  /** The contraction or indexed node; loop kernels have none. */
  readonly opaque?: Node;
  /** Units (and the contraction, first), inputs before users. */
  readonly members: Node[];
  domain: Domain;
}

export interface Fusion {
  readonly partition: Partition;
  /** In an order in which they can run. */
  readonly groups: Group[];
  readonly groupOf: ReadonlyMap<Node, Group>;
  readonly graph: GroupGraph<Group>;
}

/** More buffers than this in one kernel and V8's and GPUs' argument lists get slow. */
const maxBuffers = 40;
const maxSiblings = 12;
/** Longer rows are not kept in one kernel between a reduction and its use. */
const maxRow = 1 << 16;
const maxRounds = 4;

/** `isolated` units keep a kernel to themselves. */
export function fuse(roots: readonly Node[], isolated: ReadonlySet<Node> = new Set()): Fusion {
  const partition = new Partition(roots);
  let fusion = new Fuser(partition, isolated).run();
  for (let round = 0; round < maxRounds && partition.storeShared((unit) => fusion.groupOf.get(unit)); round++) {
    fusion = new Fuser(partition, isolated).run();
  }
  return fusion;
}

class Fuser {
  readonly #partition: Partition;
  readonly #spaces: Spaces;
  readonly #isolated: ReadonlySet<Node>;
  readonly #groups: Group[] = [];
  readonly #groupOf = new Map<Node, Group>();
  /** Groups that read a stored node. */
  readonly #readers = new Map<Node, Set<Group>>();
  /** Members of a group and what they read. */
  readonly #buffers = new Map<Group, Set<Node>>();
  readonly #graph = new GroupGraph<Group>();

  constructor(partition: Partition, isolated: ReadonlySet<Node>) {
    this.#partition = partition;
    this.#spaces = partition.spaces;
    this.#isolated = isolated;
  }

  run(): Fusion {
    for (const node of this.#partition.order) {
      if (isOpaque(node)) this.#add(node, isContraction(node) ? "contraction" : "indexed");
      else if (this.#partition.isUnit(node)) this.#addUnit(node);
    }
    for (const group of [...this.#groups]) this.#joinOnlyReader(group);
    const groups = this.#graph.schedule(this.#groups);
    return { partition: this.#partition, groups, groupOf: this.#groupOf, graph: this.#graph };
  }

  #add(node: Node, kind: Group["kind"]): void {
    const group: Group = {
      id: this.#groups.length,
      kind,
      members: [],
      domain: this.#spaces.domainOf(node),
      ...(kind === "loop" ? {} : { opaque: node }),
    };
    this.#groups.push(group);
    this.#buffers.set(group, new Set());
    this.#join(group, node);
  }

  #join(group: Group, node: Node): void {
    group.members.push(node);
    this.#groupOf.set(node, group);
    const buffers = this.#buffersOf(group).add(node);
    const producers: Group[] = [];
    for (const read of this.#partition.reads(node)) {
      buffers.add(read);
      const producer = this.#groupOf.get(read);
      if (producer) producers.push(producer);
      const readers = this.#readers.get(read) ?? new Set();
      readers.add(group);
      this.#readers.set(read, readers);
    }
    this.#graph.link(group, producers);
  }

  #addUnit(unit: Node): void {
    const reads = this.#partition.reads(unit);
    const producers = new Set<Group>();
    const siblings = new Set<Group>();
    for (const read of reads) {
      const producer = this.#groupOf.get(read);
      if (producer) producers.add(producer);
      const readers = this.#readers.get(read);
      if (readers) for (const reader of [...readers].slice(-maxSiblings)) siblings.add(reader);
    }
    const latestFirst = (a: Group, b: Group): number => b.id - a.id;
    if (this.#isolated.has(unit)) {
      this.#add(unit, "loop");
      return;
    }
    // The deepest producer first: joining another would make that one's other readers wait.
    const deepest = this.#deepest(producers);
    const last = [...producers].filter((p) => this.#graph.depth(p) === deepest);
    for (const group of last.sort(latestFirst)) {
      if (this.#tryJoin(group, unit, reads, producers, true)) return;
    }
    for (const group of [...siblings].sort(latestFirst)) {
      if (!producers.has(group) && this.#tryJoin(group, unit, reads, producers, false)) return;
    }
    this.#add(unit, "loop");
  }

  #deepest(groups: Iterable<Group>): number {
    let deepest = -1;
    for (const group of groups) deepest = Math.max(deepest, this.#graph.depth(group));
    return deepest;
  }

  #tryJoin(
    group: Group,
    unit: Node,
    reads: ReadonlySet<Node>,
    producers: ReadonlySet<Group>,
    vertical: boolean,
  ): boolean {
    if (this.#hasIsolated(group)) return false;
    if (group.kind === "indexed" || (group.kind === "contraction" && !vertical)) return false;
    if (sizeOf(group.domain.shape) === 0) return false;
    for (const read of reads) if (read.op === "barrier" && this.#groupOf.get(read) === group) return false;
    if (this.#buffersOf(group).size + reads.size + 1 > maxBuffers) return false;
    const domain = this.#joinedDomain(group, unit, vertical);
    if (!domain) return false;
    // A sibling must not make the unit, and what waits for it, wait for more than it does anyway.
    const awaited = this.#partition.consumers.has(unit);
    if (!vertical && awaited && this.#graph.depth(group) > 1 + this.#deepest(producers)) return false;
    for (const producer of producers) if (producer !== group && this.#graph.dependsOn(producer, group)) return false;
    const before = group.domain;
    group.domain = domain;
    const fits =
      (domain === before || group.members.every((member) => this.#fits(group, member))) &&
      this.#fits(group, unit, vertical);
    if (!fits) {
      group.domain = before;
      return false;
    }
    this.#join(group, unit);
    return true;
  }

  #buffersOf(group: Group): Set<Node> {
    return this.#buffers.get(group) as Set<Node>;
  }

  #hasIsolated(group: Group): boolean {
    return this.#isolated.size > 0 && group.members.some((member) => this.#isolated.has(member));
  }

  /** The one group that reads anything of `group`. */
  #onlyReader(group: Group): Group | undefined {
    let only: Group | undefined;
    for (const member of group.members) {
      for (const reader of this.#readers.get(member) ?? []) {
        if (reader === group || reader === only) continue;
        if (only) return undefined;
        only = reader;
      }
    }
    return only;
  }

  /** A loop kernel read by one other alone, over the same space, moves into it. */
  #joinOnlyReader(group: Group): void {
    // It may have become part of another by now.
    if (!this.#groups.includes(group)) return;
    if (group.kind !== "loop" || group.members.some((m) => m.op === "barrier") || this.#hasIsolated(group)) return;
    const reader = this.#onlyReader(group);
    if (reader?.kind !== "loop" || this.#hasIsolated(reader)) return;
    const buffers = new Set([...this.#buffersOf(group), ...this.#buffersOf(reader)]);
    if (buffers.size > maxBuffers) return;
    const domain = hasInner(reader.domain) ? reader.domain : group.domain;
    if (sizeOf(domain.shape) === 0) return;
    const order = this.#partition.inOrder([...group.members, ...reader.members]);
    const joined: Group = { id: reader.id, kind: "loop", members: order, domain };
    for (const member of order) this.#groupOf.set(member, joined);
    if (order.every((member) => this.#fits(joined, member))) {
      this.#groups.splice(this.#groups.indexOf(group), 1);
      this.#groups[this.#groups.indexOf(reader)] = joined;
      this.#buffers.set(joined, buffers);
      for (const buffer of buffers) {
        const set = this.#readers.get(buffer);
        if (set?.delete(group)) set.add(joined);
        if (set?.delete(reader)) set.add(joined);
      }
      this.#graph.join(group, reader, joined);
      return;
    }
    for (const member of group.members) this.#groupOf.set(member, group);
    for (const member of reader.members) this.#groupOf.set(member, reader);
  }

  /** The space of the group once `unit` is in it: its own, or a row space when a trailing reduction joins a map. */
  #joinedDomain(group: Group, unit: Node, vertical: boolean): Domain | undefined {
    const own = this.#spaces.domainOf(unit);
    if (!vertical && !sameLoops(own, group.domain)) return undefined;
    if (!isReduce(unit.op) || hasInner(group.domain)) return group.domain;
    if (!vertical || group.kind === "contraction" || sizeOf(own.shape) !== sizeOf(group.domain.shape)) return undefined;
    const firstReduced = own.reduced.indexOf(true);
    const trailing = own.reduced.slice(firstReduced).every((r, i) => r || own.shape[firstReduced + i] === 1);
    return trailing ? own : undefined;
  }

  #fits(group: Group, unit: Node, vertical = true): boolean {
    if (unit === group.opaque) return true;
    const placed = this.#spaces.place(group.domain, unit);
    if (!placed || placed.blocked.length > 0) return false;
    const { placement, accesses, indices } = placed;
    // The loops of a contraction are not cut.
    if (group.kind === "contraction" && indices.some(hasParts)) return false;
    // A view may look past everything the contraction made; such a unit is no continuation of it.
    if (group.kind === "contraction" && !accesses.some(({ node }) => this.#groupOf.get(node) === group)) return false;
    const frame = this.#spaces.frame(group.domain);
    for (const { node, position } of accesses) {
      if (group.kind === "contraction" && hasParts(position)) return false;
      if (this.#groupOf.get(node) !== group) continue;
      const own = frame.place(node)?.position;
      if (own === undefined || !sameCoordinate(own, position)) return false;
      if (isReduce(node.op) && placement.level !== "outer" && rowOf(group.domain) > maxRow) return false;
    }
    if (group.kind === "loop" && placed.cuts.size > 0 && !this.#cutsNest(group, unit)) return false;
    return vertical || placement.level !== "outer";
  }

  /** Whether the loops can be cut as all members, and `unit`, go through them. */
  #cutsNest(group: Group, unit: Node): boolean {
    const all: Cuts = new Map();
    for (const member of [...group.members, unit]) {
      // A member that has no place here fails by itself.
      for (const [variable, strides] of this.#spaces.place(group.domain, member)?.cuts ?? []) {
        all.set(variable, new Set([...(all.get(variable) ?? []), ...strides]));
      }
    }
    return areNested(all);
  }
}

const rowOf = ({ shape, reduced }: Domain): number => sizeOf(shape.filter((_, axis) => reduced[axis]));

/** Whether two spaces have the same loops, those of one iteration apart. */
const sameLoops = (a: Domain, b: Domain): boolean =>
  a === b ||
  sameShape(
    a.shape.filter((n) => n !== 1),
    b.shape.filter((n) => n !== 1),
  );

const hasParts = (c: Coordinate): boolean => c.terms.some(({ variable }) => variable.part !== undefined);
