/**
 * Which units share a kernel. Units are taken in order; each joins the kernel of something it reads, or of something
 * that reads the same memory over the same space, when the spaces fit, when every value passed between them stands at the
 * same iteration, and when no other kernel would have to run in between.
 */
import type { Node } from "../graph/node.ts";
import { sameShape, sizeOf } from "../graph/shape.ts";
import { areNested, type Coordinate, type Cuts, keyOf } from "./coordinates.ts";
import { type Domain, domainOf, Frame, hasInner } from "./domain.ts";
import { GroupGraph } from "./groupGraph.ts";
import { isContraction, isOpaque, Partition } from "./partition.ts";
import { isReduce } from "./simplify.ts";

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
  readonly #isolated: ReadonlySet<Node>;
  readonly #groups: Group[] = [];
  readonly #groupOf = new Map<Node, Group>();
  /** Groups that read a stored node. */
  readonly #readers = new Map<Node, Set<Group>>();
  readonly #frames = new Map<Group, Frame>();
  readonly #cutsIn = new WeakMap<Frame, Map<Node, Cuts>>();
  readonly #graph = new GroupGraph<Group>();

  constructor(partition: Partition, isolated: ReadonlySet<Node>) {
    this.#partition = partition;
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
    const domain = kind === "loop" ? domainOf(node) : { shape: node.shape, reduced: node.shape.map(() => false) };
    const group: Group = {
      id: this.#groups.length,
      kind,
      members: [],
      domain,
      ...(kind === "loop" ? {} : { opaque: node }),
    };
    this.#groups.push(group);
    this.#join(group, node);
  }

  #join(group: Group, node: Node): void {
    group.members.push(node);
    this.#groupOf.set(node, group);
    const producers: Group[] = [];
    for (const read of this.#partition.reads(node)) {
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
    const producers = new Set([...reads].flatMap((read) => this.#groupOf.get(read) ?? []));
    const siblings = new Set([...reads].flatMap((read) => [...(this.#readers.get(read) ?? [])].slice(-maxSiblings)));
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
    if (group.members.some((member) => this.#isolated.has(member))) return false;
    if (group.kind === "indexed" || (group.kind === "contraction" && !vertical)) return false;
    if (sizeOf(group.domain.shape) === 0) return false;
    if ([...reads].some((read) => read.op === "barrier" && this.#groupOf.get(read) === group)) return false;
    const buffers = new Set(group.members.flatMap((m) => [m, ...this.#partition.reads(m)]));
    if (buffers.size + reads.size + 1 > maxBuffers) return false;
    const domain = this.#joinedDomain(group, unit, vertical);
    if (!domain) return false;
    // A sibling must not make the unit, and what waits for it, wait for more than it does anyway.
    const awaited = this.#partition.consumers.has(unit);
    if (!vertical && awaited && this.#graph.depth(group) > 1 + this.#deepest(producers)) return false;
    for (const producer of producers) if (producer !== group && this.#graph.dependsOn(producer, group)) return false;
    const before = group.domain;
    if (domain !== before) {
      this.#frames.delete(group);
      group.domain = domain;
    }
    const fits =
      (domain === before || group.members.every((member) => this.#fits(group, member))) &&
      this.#fits(group, unit, vertical);
    if (!fits) {
      if (domain !== before) this.#frames.delete(group);
      group.domain = before;
      return false;
    }
    this.#join(group, unit);
    return true;
  }

  /** A loop kernel read by one other alone, over the same space, moves into it. */
  #joinOnlyReader(group: Group): void {
    // It may have become part of another by now.
    if (!this.#groups.includes(group)) return;
    if (group.kind !== "loop" || group.members.some((m) => m.op === "barrier" || this.#isolated.has(m))) return;
    const readers = new Set(group.members.flatMap((m) => [...(this.#readers.get(m) ?? [])]));
    readers.delete(group);
    const [reader] = readers;
    if (readers.size !== 1 || reader?.kind !== "loop" || reader.members.some((m) => this.#isolated.has(m))) return;
    const members = new Set([...group.members, ...reader.members]);
    const buffers = new Set([...members].flatMap((m) => [m, ...this.#partition.reads(m)]));
    if (buffers.size > maxBuffers) return;
    const domain = hasInner(reader.domain) ? reader.domain : group.domain;
    if (sizeOf(domain.shape) === 0) return;
    const order = this.#partition.order.filter((node) => members.has(node));
    const joined: Group = { id: reader.id, kind: "loop", members: order, domain };
    for (const member of order) this.#groupOf.set(member, joined);
    if (order.every((member) => this.#fits(joined, member))) {
      this.#groups.splice(this.#groups.indexOf(group), 1);
      this.#groups[this.#groups.indexOf(reader)] = joined;
      for (const read of order.flatMap((member) => [...this.#partition.reads(member)])) {
        const set = this.#readers.get(read) as Set<Group>;
        if (set.delete(group)) set.add(joined);
        if (set.delete(reader)) set.add(joined);
      }
      this.#graph.join(group, reader, joined);
      return;
    }
    for (const member of group.members) this.#groupOf.set(member, group);
    for (const member of reader.members) this.#groupOf.set(member, reader);
  }

  /** The space of the group once `unit` is in it: its own, or a row space when a trailing reduction joins a map. */
  #joinedDomain(group: Group, unit: Node, vertical: boolean): Domain | undefined {
    const own = domainOf(unit);
    if (
      !vertical &&
      !sameShape(
        own.shape.filter((n) => n !== 1),
        group.domain.shape.filter((n) => n !== 1),
      )
    )
      return undefined;
    if (!isReduce(unit.op) || hasInner(group.domain)) return group.domain;
    if (!vertical || group.kind === "contraction" || sizeOf(own.shape) !== sizeOf(group.domain.shape)) return undefined;
    const firstReduced = own.reduced.indexOf(true);
    const trailing = own.reduced.slice(firstReduced).every((r, i) => r || own.shape[firstReduced + i] === 1);
    return trailing ? own : undefined;
  }

  #frame(group: Group): Frame {
    let frame = this.#frames.get(group);
    if (!frame) {
      frame = new Frame(group.domain);
      this.#frames.set(group, frame);
    }
    return frame;
  }

  #fits(group: Group, unit: Node, vertical = true): boolean {
    if (unit === group.opaque) return true;
    const frame = this.#frame(group);
    const placement = frame.place(unit);
    if (!placement) return false;
    const { accesses, indices, blocked, cuts } = this.#partition.accesses(frame.table, unit, placement.source);
    if (blocked.length > 0) return false;
    this.#cutsOf(frame).set(unit, cuts);
    // The loops of a contraction are not cut.
    if (group.kind === "contraction" && indices.some(hasParts)) return false;
    // A view may look past everything the contraction made; such a unit is no continuation of it.
    if (group.kind === "contraction" && !accesses.some(({ node }) => this.#groupOf.get(node) === group)) return false;
    const row = group.domain.shape.reduce((n, size, i) => (group.domain.reduced[i] ? n * size : n), 1);
    for (const { node, position } of accesses) {
      if (group.kind === "contraction" && hasParts(position)) return false;
      if (this.#groupOf.get(node) !== group) continue;
      const own = frame.place(node)?.position;
      if (own === undefined || keyOf(own) !== keyOf(position)) return false;
      if (isReduce(node.op) && placement.level !== "outer" && row > maxRow) return false;
    }
    if (group.kind === "loop" && !this.#cutsNest(group, unit)) return false;
    return vertical || placement.level !== "outer";
  }

  /** Whether the loops can be cut as all members, and `unit`, go through them. */
  #cutsNest(group: Group, unit: Node): boolean {
    const all: Cuts = new Map();
    for (const member of new Set([...group.members, unit])) {
      for (const [variable, strides] of this.#cuts(group, member)) {
        all.set(variable, new Set([...(all.get(variable) ?? []), ...strides]));
      }
    }
    return areNested(all);
  }

  #cutsOf(frame: Frame): Map<Node, Cuts> {
    const known = this.#cutsIn.get(frame) ?? new Map<Node, Cuts>();
    this.#cutsIn.set(frame, known);
    return known;
  }

  /** Where a member of a group has its loops cut. */
  #cuts(group: Group, member: Node): Cuts {
    const frame = this.#frame(group);
    const known = this.#cutsOf(frame);
    let cuts = known.get(member);
    if (!cuts) {
      const placement = frame.place(member);
      // A member that has no place here fails by itself.
      cuts = placement ? this.#partition.accesses(frame.table, member, placement.source).cuts : new Map();
      known.set(member, cuts);
    }
    return cuts;
  }
}

const hasParts = (c: Coordinate): boolean => c.terms.some(({ variable }) => variable.part !== undefined);
