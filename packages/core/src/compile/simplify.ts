/**
 * Graph rewriting before lowering: common subexpressions become one node, constants fold, views collapse, operations the
 * backend has no kernel for are replaced by their definition. Every rewrite keeps the value to the bit, signs of zero
 * and NaN included.
 */
import type { KernelKind } from "../backend/program.ts";
import { attributesKey } from "../graph/attributes.ts";
import { computeDType, isFloat, isInteger } from "../graph/dtype.ts";
import {
  type Attributes,
  type BinaryOp,
  makeNode,
  type Node,
  type OpName,
  type ReduceOp,
  reduceOps,
  topologicalOrder,
} from "../graph/node.ts";
import { applyBinary, applyUnary, castValue, isBinary, isUnary, reduceIdentity } from "../graph/scalar.ts";
import { sameShape, sizeOf } from "../graph/shape.ts";
import { barrier, binary, permute, reshape, splat } from "./build.ts";
import { decompose } from "./decompose.ts";

const reduceSet: ReadonlySet<string> = new Set(reduceOps);
export const isReduce = (op: string): boolean => reduceSet.has(op);

/** Leaves whose identity is the node itself: two of them are never the same value by structure. */
const opaqueLeaves: ReadonlySet<OpName> = new Set(["uniform", "data", "parameter", "placeholder"]);

export class Simplifier {
  readonly #kernels: ReadonlySet<KernelKind>;
  readonly #interned = new Map<string, Node>();
  readonly #done = new Map<Node, Node>();
  readonly #splats = new Map<Node, number>();
  /** Nodes of the graph as given that more than one node uses. */
  readonly #shared = new Set<Node>();

  constructor(kernels: ReadonlySet<KernelKind>) {
    this.#kernels = kernels;
  }

  /** The simplified nodes of `roots`. */
  run(roots: readonly Node[]): Node[] {
    const order = topologicalOrder(roots);
    const used = new Set<Node>(roots);
    for (const node of order) {
      for (const [i, input] of node.inputs.entries()) {
        if (node.inputs.indexOf(input) < i) continue;
        if (used.has(input)) this.#shared.add(input);
        used.add(input);
      }
    }
    for (const node of order) this.#visit(node);
    return roots.map((root) => this.#done.get(root) as Node);
  }

  /** Simplifies a node some of whose inputs may be new (made by a rewrite). */
  #visit(node: Node): Node {
    const known = this.#done.get(node);
    if (known) return known;
    const inputs = this.#visitInputs(node);
    const result = this.#transposedMatmul(node, inputs) ?? this.#rewrite(withInputs(node, inputs));
    this.#done.set(node, result);
    this.#done.set(result, result);
    return result;
  }

  /** The node's own list when simplifying them changes nothing. */
  #visitInputs({ inputs }: Node): readonly Node[] {
    let changed: Node[] | undefined;
    for (let i = 0; i < inputs.length; i++) {
      const simplified = this.#visit(inputs[i] as Node);
      if (simplified === inputs[i]) continue;
      changed ??= [...inputs];
      changed[i] = simplified;
    }
    return changed ?? inputs;
  }

  #rewrite(node: Node): Node {
    const lowered = decompose(node, this.#kernels);
    if (lowered) return this.#visit(lowered);
    // What a scatter starts from is memory of its own, never shared with another reader of the same value.
    if (node.op === "scatterAdd") {
      const [start, index, source] = node.inputs as [Node, Node, Node];
      return makeNode("scatterAdd", [barrier(start), index, source], node.attributes, node.shape, node.dtype);
    }
    const better = this.#fold(node);
    if (better && better !== node) return this.#visit(better);
    return this.#intern(node);
  }

  /** (a·b)ᵀ = bᵀ·aᵀ where nothing else needs a·b: transposed operands are free, a transposed result is a copy. */
  #transposedMatmul(node: Node, inputs: readonly Node[]): Node | undefined {
    const product = inputs[0];
    if (node.op !== "permute" || product?.op !== "matmul" || this.#shared.has(node.inputs[0] as Node)) return undefined;
    if (!this.#kernels.has("matmul")) return undefined;
    const { axes } = node.attributes;
    const rank = axes.length;
    const swapped = axes.every((axis, i) => axis === (i < rank - 2 ? i : 2 * rank - 3 - i));
    if (!swapped) return undefined;
    const [a, b] = product.inputs as [Node, Node];
    return this.#visit(makeNode("matmul", [permute(b, axes), permute(a, axes)], {}, node.shape, node.dtype));
  }

  #intern(node: Node): Node {
    if (opaqueLeaves.has(node.op)) return node;
    const key = `${node.op}|${idsOf(node.inputs)}|${attributesKey(node)}|${node.shape.join()}|${node.dtype}`;
    const known = this.#interned.get(key);
    if (known) return known;
    this.#interned.set(key, node);
    if (node.op === "constant") this.#splats.set(node, node.attributes.value);
    if (node.op === "reshape" || node.op === "expand") {
      const value = this.#splats.get(node.inputs[0] as Node);
      if (value !== undefined) this.#splats.set(node, value);
    }
    return node;
  }

  #splat(node: Node | undefined): number | undefined {
    return node && this.#splats.get(node);
  }

  #fold(node: Node): Node | undefined {
    const x = node.inputs[0];
    const value = this.#splat(x);
    if (isUnary(node.op)) {
      if (value === undefined) return undefined;
      // As a kernel computes it; float32 in double, which a kernel rounds where it loads the constant.
      return splat(applyUnary(node.op, computeDType((x as Node).dtype), value), node.shape, node.dtype);
    }
    if (isBinary(node.op)) return this.#foldBinary(node, x as Node, node.inputs[1] as Node);
    if (isReduce(node.op)) return this.#foldReduce(node, x as Node, value);
    switch (node.op) {
      case "stopGradient":
        return x;
      case "barrier":
        // These are stored by a kernel that no reader joins.
        return ["cumSum", "argSort", "scatterAdd", "data", "parameter", "placeholder"].includes((x as Node).op)
          ? x
          : undefined;
      case "where": {
        if (value !== undefined) return node.inputs[value ? 1 : 2];
        return node.inputs[1] === node.inputs[2] ? node.inputs[1] : undefined;
      }
      case "cast":
        if ((x as Node).dtype === node.dtype) return x;
        return value === undefined
          ? undefined
          : splat(castValue((x as Node).dtype, node.dtype, value), node.shape, node.dtype);
      case "reshape":
        if (sameShape((x as Node).shape, node.shape)) return x;
        if ((x as Node).op === "reshape") return reshape((x as Node).inputs[0] as Node, node.shape);
        return value !== undefined && node.shape.some((n) => n !== 1)
          ? splat(value, node.shape, node.dtype)
          : undefined;
      case "expand":
        if (sameShape((x as Node).shape, node.shape)) return x;
        if ((x as Node).op === "expand") {
          return makeNode("expand", [(x as Node).inputs[0] as Node], {}, node.shape, node.dtype);
        }
        return undefined;
      case "permute": {
        if (value !== undefined) return splat(value, node.shape, node.dtype);
        const { axes } = node.attributes;
        if (axes.every((axis, i) => axis === i)) return x;
        if ((x as Node).op === "permute") {
          const inner = (x as Node & { attributes: { axes: readonly number[] } }).attributes.axes;
          return permute(
            (x as Node).inputs[0] as Node,
            axes.map((axis) => inner[axis] as number),
          );
        }
        return undefined;
      }
      case "slice":
        if (value !== undefined) return splat(value, node.shape, node.dtype);
        return sameShape((x as Node).shape, node.shape) && node.attributes.step.every((s) => s === 1) ? x : undefined;
      case "pad":
        if (sameShape((x as Node).shape, node.shape)) return x;
        if (sizeOf((x as Node).shape) === 0) return splat(node.attributes.value, node.shape, node.dtype);
        return value !== undefined && Object.is(value, node.attributes.value)
          ? splat(value, node.shape, node.dtype)
          : undefined;
      case "shear":
        return value !== undefined && Object.is(value, 0) ? splat(0, node.shape, node.dtype) : undefined;
      default:
        return undefined;
    }
  }

  #foldBinary(node: Node, a: Node, b: Node): Node | undefined {
    const [x, y] = [this.#splat(a), this.#splat(b)];
    if (x !== undefined && y !== undefined) {
      return splat(applyBinary(node.op as BinaryOp, computeDType(a.dtype), x, y), node.shape, node.dtype);
    }
    const same = (operand: Node): boolean => operand.dtype === node.dtype;
    switch (node.op) {
      case "mul":
        if (y === 1 && same(a)) return a;
        return x === 1 && same(b) ? b : undefined;
      case "div":
        return y === 1 && same(a) ? a : undefined;
      case "pow":
        return y === 1 && same(a) ? a : undefined;
      case "sub":
        return Object.is(y, 0) && same(a) ? a : undefined;
      case "add":
        // x + 0 turns -0 into 0, but x + -0 is x; for integers both are.
        if (y !== undefined && same(a) && (Object.is(y, -0) || (y === 0 && isInteger(node.dtype)))) return a;
        return x !== undefined && same(b) && (Object.is(x, -0) || (x === 0 && isInteger(node.dtype))) ? b : undefined;
      default:
        return undefined;
    }
  }

  #foldReduce(node: Node, x: Node, value: number | undefined): Node | undefined {
    const { axes } = node.attributes as { axes: readonly number[] };
    const count = sizeOf(axes.map((axis) => x.shape[axis] as number));
    const index = node.op === "argMax" || node.op === "argMin";
    if (count === 1) {
      if (index) return splat(0, node.shape, node.dtype);
      const only = reshape(x, node.shape);
      // Sums start from 0, which turns -0 into 0.
      const signed = node.op === "sum" && isFloat(node.dtype);
      return signed ? binary("add", only, splat(0, node.shape, node.dtype)) : only;
    }
    // Nothing to read: no kernel would have an element to stand at.
    if (count === 0)
      return index ? undefined : splat(reduceIdentity(node.op as ReduceOp, node.dtype), node.shape, node.dtype);
    if (value === undefined) return undefined;
    if (index) return splat(0, node.shape, node.dtype);
    if (node.op === "max" || node.op === "min") return splat(value, node.shape, node.dtype);
    if (node.op === "sum" && Number.isInteger(value))
      return splat(applyBinary("mul", computeDType(node.dtype), value, count), node.shape, node.dtype);
    return undefined;
  }
}

const withInputs = (node: Node, inputs: readonly Node[]): Node =>
  inputs === node.inputs
    ? node
    : (makeNode(node.op, inputs, node.attributes as Attributes[typeof node.op], node.shape, node.dtype) as Node);

function idsOf(nodes: readonly Node[]): string {
  let ids = "";
  for (const { id } of nodes) ids += `${id},`;
  return ids;
}
