/**
 * Nodes of the lazy graph. A node is an immutable value: operation, inputs, attributes, shape, dtype. The operations
 * here are the primitives everything else is built from; each has one derivative rule (autodiff/) and one lowering
 * (compile/). Inputs of an element-wise node all have the node's shape: broadcasting is always an explicit `expand`.
 */
import type { DType } from "./dtype.ts";
import type { Shape } from "./shape.ts";

/** A scalar bound afresh at every run: learning rate, bias correction, random stream, seed. */
export interface Uniform {
  /** Shown by `explain`. */
  readonly name: string;
  /** Called once per run, in the order the uniforms were created. */
  value(): number;
}

/** Device memory that holds a realised tensor or a parameter. Made and understood by runtime/ alone. */
export interface LeafSource {
  readonly shape: Shape;
  readonly dtype: DType;
}

export type UnaryOp =
  | "neg"
  | "abs"
  | "sign"
  | "exp"
  | "log"
  | "log1p"
  | "expm1"
  | "sqrt"
  | "rsqrt"
  | "reciprocal"
  | "sin"
  | "cos"
  | "tan"
  | "tanh"
  | "sigmoid"
  | "softplus"
  | "erf"
  | "relu"
  | "floor"
  | "ceil"
  | "round"
  | "trunc"
  | "isNaN"
  | "not";
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "pow"
  | "maximum"
  | "minimum"
  | "mod"
  | "equal"
  | "notEqual"
  | "less"
  | "lessEqual"
  | "and"
  | "or"
  | "xor"
  | "shiftLeft"
  | "shiftRight"
  | "mulHigh";
export type ReduceOp = "sum" | "prod" | "max" | "min" | "argMax" | "argMin";

export const unaryOps: readonly UnaryOp[] = [
  "neg",
  "abs",
  "sign",
  "exp",
  "log",
  "log1p",
  "expm1",
  "sqrt",
  "rsqrt",
  "reciprocal",
  "sin",
  "cos",
  "tan",
  "tanh",
  "sigmoid",
  "softplus",
  "erf",
  "relu",
  "floor",
  "ceil",
  "round",
  "trunc",
  "isNaN",
  "not",
];
export const binaryOps: readonly BinaryOp[] = [
  "add",
  "sub",
  "mul",
  "div",
  "pow",
  "maximum",
  "minimum",
  "mod",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
  "and",
  "or",
  "xor",
  "shiftLeft",
  "shiftRight",
  "mulHigh",
];
export const reduceOps: readonly ReduceOp[] = ["sum", "prod", "max", "min", "argMax", "argMin"];
export const comparisonOps: ReadonlySet<BinaryOp> = new Set(["equal", "notEqual", "less", "lessEqual"]);

type None = Readonly<Record<never, never>>;
interface Axes {
  readonly axes: readonly number[];
}
export interface ConvGeometry {
  /** One entry per spatial axis; always two (a 1-d convolution has a spatial axis of size 1). */
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** Attributes of each operation. */
export type Attributes = {
  // Leaves.
  /** The scalar `value`; shape []. */
  constant: { readonly value: number };
  /** A scalar bound at each run; shape []. */
  uniform: { readonly uniform: Uniform };
  /** A realised tensor (host data or a buffer). */
  data: { readonly source: LeafSource };
  /** A parameter's value, at the version it had when the node was made. */
  parameter: { readonly source: LeafSource; readonly version: number };
  /** An argument of a compiled function. */
  placeholder: { readonly index: number };
  /** 0, 1, 2 … n-1; shape [n], int32. */
  iota: None;
  /** n uint32 words of Philox 4x32-10; shape [n]; inputs: key0, key1, stream0, stream1, all uint32 scalars. Word i is lane i mod 4 of block i div 4. */
  random: None;
} & Record<UnaryOp, None> &
  Record<BinaryOp, None> & {
    /** inputs: condition (bool), a, b. */
    where: None;
    /** To the node's dtype: floats to integers truncate (saturating; NaN gives 0), anything to bool is `!= 0`. */
    cast: None;
    /** Identity that no derivative passes. */
    stopGradient: None;
    /** Identity whose value is stored to memory before anything reads it; derivatives pass. */
    barrier: None;
  } & Record<ReduceOp, Axes> & {
    // Views. The reduced axes of a reduction are gone from its shape.
    reshape: None;
    permute: Axes;
    /** Axes of size 1 repeated to the node's shape; the rank stays. */
    expand: None;
    /** out[i] = x[start + i·step] along every axis; step may be negative. */
    slice: { readonly start: readonly number[]; readonly step: readonly number[] };
    /** `value` around x. */
    pad: { readonly before: readonly number[]; readonly after: readonly number[]; readonly value: number };
    /**
     * out[…, i, …, k, …] = x[…, i·stride + k·dilation + offset, …, k, …] where that is inside x, else 0;
     * i on axis `axis`, k on axis `along`. With an expanded `along` this is a sliding window.
     */
    shear: {
      readonly axis: number;
      readonly along: number;
      readonly stride: number;
      readonly dilation: number;
      readonly offset: number;
    };
    // Contractions.
    /** [batch…, m, k] × [batch…, k, n]; batch axes equal (expanded where needed). */
    matmul: None;
    /** inputs: x [n, c, h, w], weight [o, c/groups, kh, kw]. */
    conv2d: ConvGeometry;
    /** inputs: output gradient [n, o, oh, ow], weight; gives [n, c, h, w], its own shape saying h and w. */
    conv2dInputGradient: ConvGeometry;
    /** inputs: x [n, c, h, w], output gradient; gives [o, c/groups, kh, kw], its own shape saying kh and kw. */
    conv2dWeightGradient: ConvGeometry;
    // Indexed.
    /** torch.gather: inputs x, index (int32, same rank); out[i][j] = x[index[i][j]][j] for axis 0. */
    gather: { readonly axis: number };
    /** torch.scatter_add: inputs x, index (int32), source; x plus source added at index. */
    scatterAdd: { readonly axis: number };
    cumSum: { readonly axis: number };
    /** Stable sort order along the axis (int32); NaN counts as the largest. */
    argSort: { readonly axis: number; readonly descending: boolean };
  };

export type OpName = keyof Attributes;

export interface NodeOf<K extends OpName> {
  readonly id: number;
  readonly op: K;
  readonly inputs: readonly Node[];
  readonly attributes: Attributes[K];
  readonly shape: Shape;
  readonly dtype: DType;
}
/** Discriminated by `op`. */
export type Node = { [K in OpName]: NodeOf<K> }[OpName];

let nextId = 0;

/** The id the next node will get: nodes made from now on have this or a larger one. */
export const upcomingNodeId = (): number => nextId;

/** Makes a node. Shapes and dtypes are the caller's (tensor/'s) to have inferred and checked. */
export function makeNode<K extends OpName>(
  op: K,
  inputs: readonly Node[],
  attributes: Attributes[K],
  shape: Shape,
  dtype: DType,
): NodeOf<K> {
  return { id: nextId++, op, inputs, attributes, shape, dtype };
}

/** Every node reachable from `roots`, inputs before users. Iterative: graphs can be deeper than the call stack. */
export function topologicalOrder(roots: readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // A node stands here until it is met; then what is under it follows, above a mark that it comes next.
  const stack: (Node | undefined)[] = [...roots].reverse();
  const open: Node[] = [];
  while (stack.length > 0) {
    const node = stack.pop();
    if (!node) {
      order.push(open.pop() as Node);
      continue;
    }
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.inputs.length === 0) {
      order.push(node);
      continue;
    }
    open.push(node);
    stack.push(undefined);
    for (let i = node.inputs.length - 1; i >= 0; i--) stack.push(node.inputs[i]);
  }
  return order;
}
