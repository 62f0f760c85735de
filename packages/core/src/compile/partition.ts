/**
 * Which nodes get memory. A unit is a node whose value some kernel computes as a whole: reductions, results, operands of
 * contractions. Everything else is computed inline, where it is used.
 */
import { type Node, topologicalOrder } from "../graph/node.ts";
import { sizeOf } from "../graph/shape.ts";
import { type Accesses, accessesOf } from "./accesses.ts";
import { type Coordinate, type Variable, VariableTable } from "./coordinates.ts";
import { isReduce } from "./simplify.ts";
import { Spaces } from "./spaces.ts";
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

const none: ReadonlySet<never> = new Set();

/** The sets together; one of them as it is where it holds them all because they are the same. */
function union<T>(sets: readonly (ReadonlySet<T> | undefined)[]): ReadonlySet<T> {
  let first: ReadonlySet<T> | undefined;
  let all: Set<T> | undefined;
  for (const set of sets) {
    if (!set || set === first) continue;
    if (!first) {
      first = set;
      continue;
    }
    all ??= new Set(first);
    for (const item of set) all.add(item);
  }
  return all ?? first ?? none;
}

/** What computing a unit takes. */
interface Region {
  /** Stored nodes it reads. */
  readonly reads: ReadonlySet<Node>;
  /** Whether it goes through a reshape that may not be affine. */
  readonly reshapes: boolean;
}

export class Partition {
  /** All nodes, inputs first. */
  readonly order: readonly Node[];
  readonly consumers = new Map<Node, Node[]>();
  readonly #position = new Map<Node, number>();
  readonly #units = new Set<Node>();
  /** Units, leaves in memory, and what has a kernel of its own kind. */
  readonly #stored = new Set<Node>();
  readonly #isStored = (node: Node): boolean => this.#stored.has(node);
  /** Of units and opaque nodes. */
  readonly #regions = new Map<Node, Region>();
  /** Units that may need something stored before they can be computed. */
  readonly #unchecked = new Set<Node>();
  /** Where units have been tried. */
  readonly spaces = new Spaces(this);

  constructor(roots: readonly Node[]) {
    this.order = topologicalOrder(roots);
    for (const [i, node] of this.order.entries()) {
      this.#position.set(node, i);
      if (isBufferLeaf(node) || isOpaque(node)) this.#stored.add(node);
      for (const [k, input] of node.inputs.entries()) {
        const list = this.consumers.get(input);
        if (!list) this.consumers.set(input, [node]);
        else if (node.inputs.indexOf(input) === k) list.push(node);
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
    return this.#stored.has(node);
  }

  /** The same nodes, inputs first. */
  inOrder(nodes: Iterable<Node>): Node[] {
    const position = (node: Node): number => this.#position.get(node) as number;
    return [...nodes].sort((a, b) => position(a) - position(b));
  }

  #mark(node: Node): boolean {
    if (this.isStored(node)) return false;
    this.#units.add(node);
    this.#stored.add(node);
    this.#unchecked.add(node);
    if (this.#regions.size > 0) this.#forgetRegions(node);
    return true;
  }

  /** What computed `node` inline until now reads it instead. */
  #forgetRegions(node: Node): void {
    const seen = new Set([node]);
    for (const next of seen) {
      this.#regions.delete(next);
      if (next !== node && this.isStored(next)) continue;
      for (const consumer of this.consumers.get(next) ?? []) seen.add(consumer);
    }
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
        if (this.stridedView(operand)) continue;
        this.#markBase(operand);
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
      const rows = [...this.#inlineFrom(input).reads].filter(
        (read) => isReduce(read.op) && sizeOf(read.shape) === size,
      );
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
      if (sizeOf(node.shape) >= 2 * sizeOf(base.shape) && this.#isExpensive(base)) this.#mark(base);
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

  /**
   * Views whose elements no affine access reaches get their input stored, until every unit can be computed. Storing more
   * never makes a unit that could be computed one that cannot.
   */
  #markUnreachable(): void {
    while (this.#unchecked.size > 0) {
      const units = this.inOrder(this.#unchecked);
      this.#unchecked.clear();
      for (const unit of units) {
        if (!this.#region(unit).reshapes) continue;
        for (const node of this.spaces.place(this.spaces.domainOf(unit), unit)?.blocked ?? []) {
          this.#mark(node);
          this.#unchecked.add(unit);
        }
      }
    }
  }

  /** Stores values that several kernels would otherwise compute again at a cost; true when anything changed. */
  storeShared(kernelOf: (unit: Node) => unknown): boolean {
    const kernels = this.#kernelsOf(kernelOf);
    const shared = (node: Node): boolean => (kernels.get(node)?.size ?? 0) > 1;
    const worth = (node: Node): boolean => !isView(node) && !scalarLeaves.has(node.op) && this.#isExpensive(node);
    let changed = false;
    for (const node of this.order) {
      if (!shared(node) || this.isStored(node) || !worth(node)) continue;
      const size = kernels.get(node)?.size;
      const covered = this.#elementwiseConsumers(node).some(
        (c) => shared(c) && worth(c) && kernels.get(c)?.size === size,
      );
      if (!covered) changed = this.#mark(node) || changed;
    }
    if (changed) this.#markUnreachable();
    return changed;
  }

  /** The kernels that compute each inline node; of a unit its own. Nodes of the same kernels may share one set. */
  #kernelsOf(kernelOf: (unit: Node) => unknown): Map<Node, ReadonlySet<unknown>> {
    const alone = new Map<unknown, ReadonlySet<unknown>>();
    const kernels = new Map<Node, ReadonlySet<unknown>>();
    for (let i = this.order.length - 1; i >= 0; i--) {
      const node = this.order[i] as Node;
      if (this.#units.has(node)) {
        const kernel = kernelOf(node);
        const set = alone.get(kernel) ?? new Set([kernel]);
        alone.set(kernel, set);
        kernels.set(node, set);
      } else if (!this.#stored.has(node)) {
        const consumers = this.consumers.get(node) ?? [];
        const only = consumers.length === 1 && kernels.get(consumers[0] as Node);
        kernels.set(node, only || union(consumers.map((consumer) => kernels.get(consumer))));
      }
    }
    return kernels;
  }

  #elementwiseConsumers(node: Node): Node[] {
    return (this.consumers.get(node) ?? []).flatMap((c) =>
      isView(c) && !this.isStored(c) ? this.#elementwiseConsumers(c) : [c],
    );
  }

  /** Whether computing `node` inline costs enough for storing it to be worth while. */
  #isExpensive(node: Node): boolean {
    let cost = 0;
    const seen = new Set([node]);
    for (const next of seen) {
      cost += expensive[next.op] ?? (next !== node && isView(next) ? 0 : 0.25);
      if (cost >= storeCost) return true;
      for (const input of next.inputs) if (!this.isStored(input)) seen.add(input);
    }
    return false;
  }

  #inlineFrom(node: Node): Region {
    const reads = new Set<Node>();
    const inline = new Set<Node>();
    const stack = [node];
    let reshapes = false;
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (inline.has(next)) continue;
      inline.add(next);
      for (const input of next.inputs) {
        if (this.isStored(input)) {
          reads.add(input);
        } else {
          // One element is at the same place in any shape.
          reshapes ||= next.op === "reshape" && sizeOf(next.shape) !== 1;
          stack.push(input);
        }
      }
    }
    return { reads, reshapes };
  }

  #region(node: Node): Region {
    let region = this.#regions.get(node);
    if (!region) {
      region = this.#inlineFrom(node);
      this.#regions.set(node, region);
    }
    return region;
  }

  /** Stored nodes that computing `node` (a unit or an opaque node) reads. The same set as long as these stay the same. */
  reads(node: Node): ReadonlySet<Node> {
    return this.#region(node).reads;
  }

  /** The memory that a unit's value at `at` depends on: see `accessesOf`. */
  accesses(table: VariableTable, unit: Node, at: readonly Coordinate[]): Accesses {
    return accessesOf(this.#isStored, table, unit, at);
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
