/**
 * Direct evaluation of node graphs in float64: every primitive as its definition reads, one node at a time, nothing
 * fused, nothing shared with the compiler but the scalar definitions. Slow and obvious on purpose: it is what the
 * compiler, the derivative rules and the backends are checked against.
 *
 * Floats are not rounded to their dtype except by `cast`; integers wrap to 32 bits; bool is 0 or 1.
 */

import { computeDType, type DType, decode, type HostArray, isFloat, roundTo } from "./dtype.ts";
import { ArgumentError, IndexError } from "./errors.ts";
import {
  type BinaryOp,
  binaryOps,
  type LeafSource,
  type Node,
  type NodeOf,
  type OpName,
  type ReduceOp,
  reduceOps,
  topologicalOrder,
  type UnaryOp,
  unaryOps,
} from "./node.ts";
import {
  applyBinary,
  applyUnary,
  castValue,
  compareForSort,
  isMoreExtreme,
  philoxWord,
  reduceIdentity,
} from "./scalar.ts";
import { contiguousStrides, type Shape, sizeOf } from "./shape.ts";

export interface Evaluated {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Row-major. */
  readonly values: Float64Array;
}

export interface Bindings {
  /** Values of each placeholder, by its index. */
  readonly placeholders?: readonly ArrayLike<number>[];
  /** Values to take for particular nodes instead of computing them. */
  readonly nodes?: ReadonlyMap<Node, ArrayLike<number>>;
}

type Rule<K extends OpName> = (node: NodeOf<K>, inputs: readonly Evaluated[], bindings: Bindings) => Float64Array;

/** Calls `visit` with the coordinates of every element of `shape` in row-major order. */
function forEachIndex(shape: Shape, visit: (coordinates: readonly number[], flat: number) => void): void {
  const size = sizeOf(shape);
  const coordinates = shape.map(() => 0);
  for (let flat = 0; flat < size; flat++) {
    visit(coordinates, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (coordinates[axis] as number) + 1;
      coordinates[axis] = next === shape[axis] ? 0 : next;
      if (next !== shape[axis]) break;
    }
  }
}

/** Row-major position of the element at `coordinate(axis)`, or -1 when one of them is outside. */
function positionOf(shape: Shape, coordinate: (axis: number) => number): number {
  let position = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const i = coordinate(axis);
    if (i < 0 || i >= (shape[axis] as number)) return -1;
    position = position * (shape[axis] as number) + i;
  }
  return position;
}

/** A result whose every element is one element of `x`, or `outside` where `coordinate` points outside. */
function view(
  node: Node,
  x: Evaluated,
  coordinate: (at: readonly number[], axis: number) => number,
  outside = 0,
): Float64Array {
  const out = new Float64Array(sizeOf(node.shape));
  forEachIndex(node.shape, (at, flat) => {
    const position = positionOf(x.shape, (axis) => coordinate(at, axis));
    out[flat] = position < 0 ? outside : (x.values[position] as number);
  });
  return out;
}

const unaryRule =
  (op: UnaryOp): Rule<UnaryOp> =>
  (_node, [x]) => {
    const { values, dtype } = x as Evaluated;
    return values.map((value) => applyUnary(op, computeDType(dtype), value));
  };

const binaryRule =
  (op: BinaryOp): Rule<BinaryOp> =>
  (_node, [a, b]) => {
    const [left, right] = [a as Evaluated, b as Evaluated];
    return left.values.map((value, i) => applyBinary(op, computeDType(left.dtype), value, right.values[i] as number));
  };

function combine(op: ReduceOp, dtype: DType, a: number, b: number): number {
  if (op === "sum") return isFloat(dtype) ? a + b : roundTo(dtype, a + b);
  if (op === "prod") return isFloat(dtype) ? a * b : roundTo(dtype, Math.imul(a, b));
  return op === "max" ? Math.max(a, b) : Math.min(a, b);
}

const reduceRule =
  (op: ReduceOp): Rule<ReduceOp> =>
  (node, [input]) => {
    const x = input as Evaluated;
    const { axes } = node.attributes;
    const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const out = new Float64Array(sizeOf(node.shape)).fill(reduceIdentity(op, node.dtype));
    const best = new Float64Array(out.length);
    const seen = new Uint32Array(out.length);
    forEachIndex(x.shape, (at, flat) => {
      const target = positionOf(node.shape, (axis) => at[kept[axis] as number] as number);
      const value = x.values[flat] as number;
      if (op === "argMax" || op === "argMin") {
        const order = seen[target] as number;
        if (order === 0 || isMoreExtreme(op, value, best[target] as number)) {
          best[target] = value;
          out[target] = order;
        }
        seen[target] = order + 1;
      } else out[target] = combine(op, node.dtype, out[target] as number, value);
    });
    return out;
  };

/** What runtime/ makes leaves of. */
interface ReadableSource extends LeafSource {
  readSync(): HostArray;
}

function readLeaf(source: LeafSource): Float64Array {
  const host = (source as ReadableSource).readSync();
  return Float64Array.from({ length: host.length }, (_, i) => decode(source.dtype, host, i));
}

/** Visits every multiplication of a convolution: positions in x, weight and output. */
function forEachProduct(
  { stride, padding, dilation, groups }: NodeOf<"conv2d">["attributes"],
  x: Shape,
  weight: Shape,
  y: Shape,
  visit: (x: number, weight: number, y: number) => void,
): void {
  const outputsPerGroup = (weight[0] as number) / groups;
  const channelsPerGroup = weight[1] as number;
  forEachIndex(y, ([n, o, i, j], yPosition) => {
    const group = Math.floor((o as number) / outputsPerGroup);
    forEachIndex(weight.slice(1), ([c, ki, kj], kPosition) => {
      const row = (i as number) * stride[0] + (ki as number) * dilation[0] - padding[0];
      const column = (j as number) * stride[1] + (kj as number) * dilation[1] - padding[1];
      const at = [n as number, group * channelsPerGroup + (c as number), row, column];
      const xPosition = positionOf(x, (axis) => at[axis] as number);
      if (xPosition >= 0) visit(xPosition, (o as number) * sizeOf(weight.slice(1)) + kPosition, yPosition);
    });
  });
}

/** Calls `visit` with the start and stride of every line of `shape` along `axis`. */
function forEachLine(shape: Shape, axis: number, visit: (start: number, stride: number, length: number) => void): void {
  const stride = contiguousStrides(shape)[axis] as number;
  const length = shape[axis] as number;
  forEachIndex(shape, (at, flat) => {
    if (at[axis] === 0) visit(flat, stride, length);
  });
}

function checkIndex(op: string, index: number, size: number): number {
  if (index < 0 || index >= size)
    throw new IndexError(op, `index ${index} is out of range for an axis of size ${size}`);
  return index;
}

const rules: { readonly [K in OpName]: Rule<K> } = {
  ...(Object.fromEntries(unaryOps.map((op) => [op, unaryRule(op)])) as Record<UnaryOp, Rule<UnaryOp>>),
  ...(Object.fromEntries(binaryOps.map((op) => [op, binaryRule(op)])) as Record<BinaryOp, Rule<BinaryOp>>),
  ...(Object.fromEntries(reduceOps.map((op) => [op, reduceRule(op)])) as Record<ReduceOp, Rule<ReduceOp>>),

  constant: (node) => Float64Array.of(node.attributes.value),
  uniform: (node) => Float64Array.of(node.attributes.uniform.value()),
  data: (node) => readLeaf(node.attributes.source),
  parameter: (node) => readLeaf(node.attributes.source),
  placeholder: (node, _inputs, bindings) => {
    const values = bindings.placeholders?.[node.attributes.index];
    if (!values) throw new ArgumentError("evaluateNode", `placeholder ${node.attributes.index} is not bound`);
    return Float64Array.from(values);
  },
  iota: (node) => Float64Array.from({ length: sizeOf(node.shape) }, (_, i) => i),
  random: (node, inputs) => {
    const [key0, key1, stream0, stream1] = inputs.map(({ values }) => values[0] as number) as [
      number,
      number,
      number,
      number,
    ];
    return Float64Array.from({ length: sizeOf(node.shape) }, (_, i) => philoxWord(i, key0, key1, stream0, stream1));
  },

  where: (_node, inputs) => {
    const [condition, a, b] = inputs as [Evaluated, Evaluated, Evaluated];
    return condition.values.map((chosen, i) => (chosen ? a : b).values[i] as number);
  },
  cast: (node, [x]) => (x as Evaluated).values.map((value) => castValue((x as Evaluated).dtype, node.dtype, value)),
  stopGradient: (_node, [x]) => (x as Evaluated).values,
  barrier: (_node, [x]) => (x as Evaluated).values,

  reshape: (_node, [x]) => (x as Evaluated).values,
  permute: (node, [x]) => view(node, x as Evaluated, (at, axis) => at[node.attributes.axes.indexOf(axis)] as number),
  expand: (node, [x]) =>
    view(node, x as Evaluated, (at, axis) => ((x as Evaluated).shape[axis] === 1 ? 0 : (at[axis] as number))),
  slice: (node, [x]) => {
    const { start, step } = node.attributes;
    return view(
      node,
      x as Evaluated,
      (at, axis) => (start[axis] as number) + (at[axis] as number) * (step[axis] as number),
    );
  },
  pad: (node, [x]) => {
    const { before, value } = node.attributes;
    return view(node, x as Evaluated, (at, axis) => (at[axis] as number) - (before[axis] as number), value);
  },
  shear: (node, [x]) => {
    const { axis: sheared, along, stride, dilation, offset } = node.attributes;
    return view(node, x as Evaluated, (at, axis) =>
      axis === sheared
        ? (at[axis] as number) * stride + (at[along] as number) * dilation + offset
        : (at[axis] as number),
    );
  },

  matmul: (node, inputs) => {
    const [a, b] = inputs as [Evaluated, Evaluated];
    const out = new Float64Array(sizeOf(node.shape));
    const [m, n] = node.shape.slice(-2) as [number, number];
    const k = a.shape[a.shape.length - 1] as number;
    for (let flat = 0; flat < out.length; flat++) {
      const [batch, i, j] = [Math.floor(flat / (m * n)), Math.floor(flat / n) % m, flat % n];
      let sum = 0;
      for (let l = 0; l < k; l++)
        sum += (a.values[(batch * m + i) * k + l] as number) * (b.values[(batch * k + l) * n + j] as number);
      out[flat] = sum;
    }
    return out;
  },
  conv2d: (node, inputs) => {
    const [x, weight] = inputs as [Evaluated, Evaluated];
    const out = new Float64Array(sizeOf(node.shape));
    forEachProduct(node.attributes, x.shape, weight.shape, node.shape, (i, w, y) => {
      out[y] = (out[y] as number) + (x.values[i] as number) * (weight.values[w] as number);
    });
    return out;
  },
  conv2dInputGradient: (node, inputs) => {
    const [y, weight] = inputs as [Evaluated, Evaluated];
    const out = new Float64Array(sizeOf(node.shape));
    forEachProduct(node.attributes, node.shape, weight.shape, y.shape, (i, w, o) => {
      out[i] = (out[i] as number) + (y.values[o] as number) * (weight.values[w] as number);
    });
    return out;
  },
  conv2dWeightGradient: (node, inputs) => {
    const [x, y] = inputs as [Evaluated, Evaluated];
    const out = new Float64Array(sizeOf(node.shape));
    forEachProduct(node.attributes, x.shape, node.shape, y.shape, (i, w, o) => {
      out[w] = (out[w] as number) + (x.values[i] as number) * (y.values[o] as number);
    });
    return out;
  },

  gather: (node, inputs) => {
    const [x, index] = inputs as [Evaluated, Evaluated];
    const { axis: gathered } = node.attributes;
    const out = new Float64Array(sizeOf(node.shape));
    forEachIndex(node.shape, (at, flat) => {
      const chosen = checkIndex("gather", index.values[flat] as number, x.shape[gathered] as number);
      out[flat] = x.values[
        positionOf(x.shape, (axis) => (axis === gathered ? chosen : (at[axis] as number)))
      ] as number;
    });
    return out;
  },
  scatterAdd: (node, inputs) => {
    const [x, index, source] = inputs as [Evaluated, Evaluated, Evaluated];
    const { axis: scattered } = node.attributes;
    const out = x.values.slice();
    forEachIndex(index.shape, (at, flat) => {
      const chosen = checkIndex("scatterAdd", index.values[flat] as number, node.shape[scattered] as number);
      const target = positionOf(node.shape, (axis) => (axis === scattered ? chosen : (at[axis] as number)));
      const from = positionOf(source.shape, (axis) => at[axis] as number);
      out[target] = combine("sum", node.dtype, out[target] as number, source.values[from] as number);
    });
    return out;
  },
  cumSum: (node, [x]) => {
    const out = (x as Evaluated).values.slice();
    forEachLine(node.shape, node.attributes.axis, (start, stride, length) => {
      for (let i = 1; i < length; i++) {
        const at = start + i * stride;
        out[at] = combine("sum", node.dtype, out[at - stride] as number, out[at] as number);
      }
    });
    return out;
  },
  argSort: (node, [x]) => {
    const { axis, descending } = node.attributes;
    const out = new Float64Array(sizeOf(node.shape));
    forEachLine(node.shape, axis, (start, stride, length) => {
      const value = (i: number) => (x as Evaluated).values[start + i * stride] as number;
      const order = Array.from({ length }, (_, i) => i);
      order.sort((i, j) => (descending ? -1 : 1) * compareForSort(value(i), value(j)));
      for (let i = 0; i < length; i++) out[start + i * stride] = order[i] as number;
    });
    return out;
  },
};

/**
 * Values of several nodes of one graph, each node computed once. Throws ArgumentError for a placeholder without a
 * binding and IndexError for an index outside its axis.
 */
export function evaluateNodes(nodes: readonly Node[], bindings: Bindings = {}): Evaluated[] {
  const known = new Map<Node, Evaluated>();
  for (const node of topologicalOrder(nodes)) {
    const bound = bindings.nodes?.get(node);
    const inputs = node.inputs.map((input) => known.get(input) as Evaluated);
    const rule = rules[node.op] as Rule<OpName>;
    const values = bound ? Float64Array.from(bound) : rule(node, inputs, bindings);
    known.set(node, { shape: node.shape, dtype: node.dtype, values });
  }
  return nodes.map((node) => known.get(node) as Evaluated);
}

/** Value of one node. */
export const evaluateNode = (node: Node, bindings?: Bindings): Evaluated =>
  evaluateNodes([node], bindings)[0] as Evaluated;
