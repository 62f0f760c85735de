/**
 * Which nodes get memory. A unit is a node whose value some kernel computes as a whole: reductions, results, operands of
 * contractions. Everything else is computed inline, where it is used.
 */
import { type Node, topologicalOrder } from "../graph/node.ts";
import { sizeOf } from "../graph/shape.ts";
import { areNested, type Coordinate, type Cuts, type Variable, VariableTable } from "./coordinates.ts";
import { isReduce } from "./simplify.ts";
import { isView, mapView } from "./views.ts";

const bufferLeaves: ReadonlySet<string> = new Set(["data", "parameter", "placeholder"]);
const scalarLeaves: ReadonlySet<string> = new Set(["constant", "uniform", "iota"]);
const contractionOps: ReadonlySet<string> = new Set([
  "matmul",
  "conv2d",
  "conv2dInputGradient",
  "conv2dWeightGradient",
]);
const indexedOps: ReadonlySet<string> = new Set(["cumSum", "argSort", "scatterAdd"]);

export const isBufferLeaf = (node: Node): boolean => bufferLeaves.has(node.op);
export const isContraction = (node: Node): boolean => contractionOps.has(node.op);
export const isIndexed = (node: Node): boolean => indexedOps.has(node.op);
/** Computed by a kernel of its own kind, not by a loop kernel. */
export const isOpaque = (node: Node): boolean => isContraction(node) || isIndexed(node);

/** Its values are those of its input, to the bit. */
const movesElements = (node: Node): boolean => isView(node) || node.op === "barrier";

/** A strided view of stored memory. */
export interface StridedView {
  readonly base: Node;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Longest chain computed inline: deeper graphs are cut so that neither compiler nor engine recurses too far. */
const maxInlineDepth = 100;
const expensive: Readonly<Record<string, number>> = {
  exp: 8,
  log: 8,
  log1p: 10,
  expm1: 10,
  sin: 10,
  cos: 10,
  tan: 12,
  tanh: 12,
  sigmoid: 10,
  softplus: 16,
  erf: 16,
  pow: 16,
  random: 40,
  div: 2,
  sqrt: 2,
  rsqrt: 3,
  reciprocal: 2,
  mod: 4,
};
/** An inline value that several kernels would compute again is stored when it costs at least this much. */
const storeCost = 8;

export class Partition {
  /** All nodes, inputs first. */
  readonly order: readonly Node[];
  readonly consumers = new Map<Node, Node[]>();
  readonly #units = new Set<Node>();
  readonly #reads = new Map<Node, ReadonlySet<Node>>();

  constructor(roots: readonly Node[]) {
    this.order = topologicalOrder(roots);
    for (const node of this.order) {
      for (const input of new Set(node.inputs)) {
        const list = this.consumers.get(input);
        if (list) list.push(node);
        else this.consumers.set(input, [node]);
      }
    }
    for (const root of roots) this.#mark(root);
    for (const node of this.order) if (isReduce(node.op) || node.op === "barrier") this.#mark(node);
    for (const node of this.order) this.#markOperands(node);
    this.#markReduceInputs();
    this.#markEpilogues();
    this.#markBroadcast();
    this.#cutDeepChains();
    do this.#markUnreachable();
    while (this.#markRounded());
  }

  /** Computed by a loop kernel and held in a register or in memory. */
  isUnit(node: Node): boolean {
    return this.#units.has(node);
  }

  /** Has, or may have, memory of its own. */
  isStored(node: Node): boolean {
    return isBufferLeaf(node) || isOpaque(node) || this.#units.has(node);
  }

  #mark(node: Node): boolean {
    if (this.isStored(node)) return false;
    this.#units.add(node);
    if (this.#reads.size > 0) this.#reads.clear();
    return true;
  }

  #markBase(view: Node): void {
    let base = view;
    while (isView(base)) base = base.inputs[0] as Node;
    if (!scalarLeaves.has(base.op)) this.#mark(base);
  }

  #markOperands(node: Node): void {
    if (node.op === "gather") {
      this.#markBase(node.inputs[0] as Node);
    }
    if (!isOpaque(node)) return;
    for (const [i, operand] of node.inputs.entries()) {
      if (node.op === "matmul" || (node.op === "scatterAdd" && i > 0)) {
        // Storing what a view looks at is as good as storing the view, and others may look at it too.
        if (!this.stridedView(operand)) this.#markBase(operand);
        if (!this.stridedView(operand)) this.#mark(operand);
      } else if (!this.isStored(this.contiguousBase(operand))) {
        this.#mark(operand);
      }
    }
  }

  /**
   * Memory rounds. What is stored as it stands and also read past that memory, through other views, is a unit itself, so
   * that both routes give the same bits. True when anything changed.
   */
  #markRounded(): boolean {
    let changed = false;
    for (const unit of this.order) {
      if (!this.#units.has(unit) || !movesElements(unit)) continue;
      let base = unit;
      let shared = false;
      let whole = true;
      while (movesElements(base) && (base === unit || !this.isStored(base))) {
        whole &&= base.op === "reshape" || base.op === "permute" || base.op === "barrier";
        base = base.inputs[0] as Node;
        shared ||= (this.consumers.get(base) as Node[]).length > 1;
      }
      // One loop stores the whole of it and computes with it; a part alone is not worth memory for all.
      if (!scalarLeaves.has(base.op) && (whole || shared)) changed = this.#mark(base) || changed;
    }
    return changed;
  }

  /** A scalar made from several reductions of the same rows is stored once rather than each reduction by itself. */
  #markReduceInputs(): void {
    for (const node of this.order) {
      if (!isReduce(node.op)) continue;
      const input = node.inputs[0] as Node;
      if (this.isStored(input) || isView(input)) continue;
      const size = sizeOf(input.shape);
      const rows = [...this.#inlineReads(input)].filter((read) => isReduce(read.op) && sizeOf(read.shape) === size);
      if (rows.length > 1) this.#mark(input);
    }
  }

  /**
   * What element-wise continues a contraction alone (a bias, an activation) is computed before the result leaves its
   * kernel, so that this is what is stored, not the bare sum.
   */
  #markEpilogues(): void {
    const roots = new Set(this.#units);
    for (const node of this.order) {
      if (!isContraction(node)) continue;
      let end = node;
      for (;;) {
        const consumers = this.consumers.get(end) ?? [];
        const next = consumers[0];
        if (consumers.length !== 1 || !next || roots.has(end)) break;
        const sameElements = next.op === "reshape" || (!isView(next) && !isReduce(next.op) && next.op !== "gather");
        if (!sameElements || this.isStored(next) || sizeOf(next.shape) !== sizeOf(node.shape)) break;
        end = next;
      }
      while (end.op === "reshape") end = end.inputs[0] as Node;
      if (end !== node) this.#mark(end);
    }
  }

  /** What costs much and is the same along an axis is computed once, not again at every element of the axis. */
  #markBroadcast(): void {
    for (const node of this.order) {
      if (node.op !== "expand") continue;
      let base = node.inputs[0] as Node;
      while (isView(base)) base = base.inputs[0] as Node;
      // A single element is hoisted out of every loop anyway.
      if (this.isStored(base) || scalarLeaves.has(base.op) || sizeOf(base.shape) <= 1) continue;
      if (sizeOf(node.shape) >= 2 * sizeOf(base.shape) && this.#inlineCost(base) >= storeCost) this.#mark(base);
    }
  }

  #cutDeepChains(): void {
    const depth = new Map<Node, number>();
    for (const node of this.order) {
      const below = node.inputs.map((n) => (this.isStored(n) ? 0 : (depth.get(n) as number)));
      const own = 1 + Math.max(0, ...below);
      depth.set(node, own);
      if (own > maxInlineDepth && !isView(node) && !scalarLeaves.has(node.op)) this.#mark(node);
    }
  }

  /** Views whose elements no affine access reaches get their input stored, until every unit can be computed. */
  #markUnreachable(): void {
    for (let again = true; again; ) {
      again = false;
      for (const unit of this.order) {
        if (!this.#units.has(unit)) continue;
        const table = new VariableTable();
        const shape = isReduce(unit.op) ? (unit.inputs[0] as Node).shape : unit.shape;
        const at = shape.map((n) => ({
          offset: 0,
          terms: n === 1 ? [] : [{ variable: table.fresh(n), coefficient: 1 }],
        }));
        for (const node of this.accesses(table, unit, at).blocked) again = this.#mark(node) || again;
      }
    }
  }

  /** Stores values that several kernels would otherwise compute again at a cost; true when anything changed. */
  storeShared(kernelOf: (unit: Node) => unknown): boolean {
    const kernels = new Map<Node, Set<unknown>>();
    for (const unit of this.order) {
      if (!this.#units.has(unit)) continue;
      const kernel = kernelOf(unit);
      for (const node of this.#inline(unit)) {
        const set = kernels.get(node) ?? new Set();
        set.add(kernel);
        kernels.set(node, set);
      }
    }
    const shared = (node: Node): boolean => (kernels.get(node)?.size ?? 0) > 1;
    const worth = (node: Node): boolean =>
      !isView(node) && !scalarLeaves.has(node.op) && this.#inlineCost(node) >= storeCost;
    let changed = false;
    for (const node of this.order) {
      if (this.isStored(node) || !shared(node) || !worth(node)) continue;
      const size = kernels.get(node)?.size;
      const covered = this.#elementwiseConsumers(node).some(
        (c) => shared(c) && worth(c) && kernels.get(c)?.size === size,
      );
      if (!covered) changed = this.#mark(node) || changed;
    }
    if (changed) this.#markUnreachable();
    return changed;
  }

  #elementwiseConsumers(node: Node): Node[] {
    return (this.consumers.get(node) ?? []).flatMap((c) =>
      isView(c) && !this.isStored(c) ? this.#elementwiseConsumers(c) : [c],
    );
  }

  /** Nodes computed inline as part of a unit. */
  #inline(unit: Node): Set<Node> {
    const seen = new Set<Node>();
    const stack = [...unit.inputs];
    while (stack.length > 0) {
      const node = stack.pop() as Node;
      if (seen.has(node) || this.isStored(node)) continue;
      seen.add(node);
      stack.push(...node.inputs);
    }
    return seen;
  }

  #inlineCost(node: Node): number {
    let cost = expensive[node.op] ?? 0.25;
    for (const inner of this.#inline(node)) cost += expensive[inner.op] ?? (isView(inner) ? 0 : 0.25);
    return cost;
  }

  #inlineReads(node: Node): Set<Node> {
    const reads = new Set<Node>();
    const seen = new Set<Node>();
    const stack = [node];
    while (stack.length > 0) {
      const next = stack.pop() as Node;
      if (seen.has(next)) continue;
      seen.add(next);
      for (const input of next.inputs) {
        if (this.isStored(input)) reads.add(input);
        else stack.push(input);
      }
    }
    return reads;
  }

  /** Stored nodes that computing `node` (a unit or an opaque node) reads. */
  reads(node: Node): ReadonlySet<Node> {
    let reads = this.#reads.get(node);
    if (!reads) {
      reads = this.#inlineReads(node);
      this.#reads.set(node, reads);
    }
    return reads;
  }

  /**
   * Every element of memory that a unit's value at `at` depends on, as a linear position; `at` is in the unit's input
   * for a reduction, in the unit itself otherwise. `indices`: coordinates that the value itself depends on, by counting
   * or by a mask. `blocked`: nodes that must be stored before this can be computed. `cuts`: of loops, by reshapes passed.
   */
  accesses(
    table: VariableTable,
    unit: Node,
    at: readonly Coordinate[],
  ): { accesses: Access[]; indices: Coordinate[]; blocked: Node[]; cuts: Cuts } {
    let cuts: Cuts = new Map();
    for (const coordinate of at) table.cuts(coordinate, cuts);
    /** Takes the cuts of further coordinates in, unless they are at odds with those so far. */
    const cut = (coordinates: readonly Coordinate[]): boolean => {
      if (!coordinates.some(({ terms }) => terms.some(({ variable }) => variable.part))) return true;
      const more: Cuts = new Map([...cuts].map(([variable, strides]) => [variable, new Set(strides)]));
      for (const coordinate of coordinates) table.cuts(coordinate, more);
      if (!areNested(more)) return false;
      cuts = more;
      return true;
    };
    const accesses = new Map<string, Access>();
    const indices: Coordinate[] = [];
    const blocked: Node[] = [];
    const seen = new Set<string>();
    const touch = (node: Node, position: Coordinate): void => {
      accesses.set(`${node.id}@${position.offset}:${position.terms.map((t) => `${t.variable.id}*${t.coefficient}`)}`, {
        node,
        position,
      });
    };
    const visit = (node: Node, here: readonly Coordinate[]): void => {
      if (this.isStored(node)) {
        touch(node, table.linear(node.shape, here));
        return;
      }
      const key = `${node.id}@${here.map((c) => `${c.offset}:${c.terms.map((t) => `${t.variable.id}*${t.coefficient}`)}`).join(";")}`;
      if (seen.has(key)) return;
      seen.add(key);
      inputsOf(node, here);
    };
    const inputsOf = (node: Node, here: readonly Coordinate[]): void => {
      if (isView(node)) {
        const input = node.inputs[0] as Node;
        if (node.op === "reshape" && this.isStored(input)) {
          touch(input, table.linear(node.shape, here));
          return;
        }
        const mapped = mapView(table, node, here);
        indices.push(...(mapped?.bounds ?? []).map(({ coordinate }) => coordinate));
        if (!mapped || (node.op === "reshape" && !cut(mapped.coordinates))) blocked.push(input);
        else if (!mapped.outside) visit(input, mapped.coordinates);
      } else if (node.op === "gather") {
        const [x, index] = node.inputs as [Node, Node];
        visit(index, here);
        const { axis } = node.attributes;
        const variable = table.dynamic(index, here, x.shape[axis] as number);
        visit(
          x,
          here.map((c, i) => (i === axis ? { offset: 0, terms: [{ variable, coefficient: 1 }] } : c)),
        );
      } else if (node.op === "iota") {
        indices.push(...here);
      } else if (node.op === "random") {
        indices.push(...here);
        for (const input of node.inputs) visit(input, []);
      } else {
        for (const input of node.inputs) visit(input, here);
      }
    };
    inputsOf(unit, at);
    return { accesses: [...accesses.values()], indices, blocked, cuts };
  }

  /** The stored node behind reshapes: a contiguous buffer stays contiguous. */
  contiguousBase(node: Node): Node {
    let base = node;
    while (!this.isStored(base) && base.op === "reshape") base = base.inputs[0] as Node;
    return base;
  }

  /** `node` as a strided view of memory; undefined when it is masked, computed, or irregular. */
  stridedView(node: Node): StridedView | undefined {
    const table = new VariableTable();
    const variables = node.shape.map((n) => table.fresh(n));
    let at: readonly Coordinate[] = variables.map((variable) => ({
      offset: 0,
      terms: variable.size === 1 ? [] : [{ variable, coefficient: 1 }],
    }));
    let base = node;
    let position: Coordinate | undefined;
    while (!this.isStored(base)) {
      if (!isView(base)) return undefined;
      const input = base.inputs[0] as Node;
      if (base.op === "reshape" && this.isStored(input)) {
        position = table.linear(base.shape, at);
        base = input;
        break;
      }
      const mapped = mapView(table, base, at);
      if (!mapped || mapped.bounds.length > 0 || mapped.outside) return undefined;
      at = mapped.coordinates;
      base = input;
    }
    position ??= table.linear(base.shape, at);
    const strides = new Map<Variable, number>();
    for (const { variable, coefficient } of position.terms) {
      if (variable.part || variable.dynamic) return undefined;
      strides.set(variable, coefficient);
    }
    return { base, offset: position.offset, strides: variables.map((v) => strides.get(v) ?? 0) };
  }
}

export interface Access {
  readonly node: Node;
  readonly position: Coordinate;
}
