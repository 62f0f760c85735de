/**
 * Contractions as loop kernels: outer loops over the result, inner ones over what is summed, the epilogue as a stage after.
 * For what a backend has no faster way for: unusual dtypes, tiny sizes.
 */
import type {
  Affine,
  Condition,
  ContractionKernel,
  ConvolutionKernel,
  Instruction,
  LoopKernel,
  MatmulKernel,
  Value,
} from "./program.ts";
import { mapAffines } from "./simplifyLoop.ts";

/** An axis of the result as the loop has it: one variable, or (channels of several groups) two. */
interface ResultAxis {
  readonly sizes: readonly number[];
  /** What one step of each variable is in steps of the axis. */
  readonly steps: readonly number[];
}

/** The two factors of the products to be summed. */
interface Products {
  readonly result: readonly ResultAxis[];
  readonly inner: readonly number[];
  /** Instructions before the product; the last two ids are its factors. */
  readonly body: Instruction[];
  readonly factors: readonly [Value, Value];
}

const plainAxis = (size: number): ResultAxis => ({ sizes: [size], steps: [1] });

/** `count` channels in `groups`; without groups the axis stays one variable. */
const groupedAxis = (groups: number, count: number): ResultAxis =>
  groups === 1 ? plainAxis(count) : { sizes: [groups, count], steps: [count, 1] };

export function contractionAsLoop(kernel: ContractionKernel): LoopKernel {
  const { result, inner, body, factors } =
    kernel.kind === "matmul" ? matmulProducts(kernel) : convolutionProducts(kernel);
  const outer = result.flatMap(({ sizes }) => sizes);
  const product = body.length;
  const sum = product + 1;
  const { dtype, epilogue } = kernel;
  const operands = kernel.kind === "matmul" ? [kernel.a.buffer, kernel.b.buffer] : [kernel.a, kernel.b];
  return {
    kind: "loop",
    label: kernel.label,
    outer,
    inner,
    stages: [
      {
        over: "inner",
        body: [
          ...body,
          { id: product, op: "mul", dtype, args: factors },
          { id: sum, op: "reduce", dtype, fn: "sum", value: product },
        ],
      },
      { over: "outer", body: continuation(epilogue.body, result, inner.length, sum) },
    ],
    segments: [{ size: outer.reduce((count, size) => count * size, 1), buffers: [...operands, ...epilogue.buffers] }],
  };
}

/** The epilogue's body over the loop's variables, with `sum` for the accumulator and slots after the operands'. */
function continuation(
  body: readonly Instruction[],
  result: readonly ResultAxis[],
  inner: number,
  sum: Value,
): Instruction[] {
  const accumulators = new Set(body.filter(({ op }) => op === "accumulator").map(({ id }) => id));
  const value = (id: Value): Value => (accumulators.has(id) ? sum : sum + 1 + id);
  const affine = ({ offset, strides, dynamic }: Affine): Affine => ({
    offset,
    strides: [
      ...result.flatMap(({ steps }, axis) => steps.map((step) => step * (strides[axis] as number))),
      ...new Array<number>(inner).fill(0),
    ],
    ...(dynamic ? { dynamic: dynamic.map((part) => ({ ...part, value: value(part.value) })) } : {}),
  });
  return body
    .filter(({ op }) => op !== "accumulator")
    .map((instruction) => {
      const moved = mapAffines(instruction, affine);
      return {
        ...moved,
        id: value(moved.id),
        ...("slot" in moved ? { slot: moved.slot + 2 } : {}),
        ...(moved.op === "store" || moved.op === "reduce" ? { value: value(moved.value) } : {}),
        ...("args" in moved ? { args: moved.args.map(value) } : {}),
      } as Instruction;
    });
}

function matmulProducts({ batch, m, n, k, a, b, dtype }: MatmulKernel): Products {
  const rank = batch.length;
  const [row, depthA] = a.strides.slice(rank) as [number, number];
  const [depthB, column] = b.strides.slice(rank) as [number, number];
  const load = (id: Value, offset: number, strides: readonly number[]): Instruction => ({
    id,
    op: "load",
    dtype,
    slot: id,
    at: { offset, strides },
  });
  return {
    result: [...batch, m, n].map(plainAxis),
    inner: [k],
    body: [
      load(0, a.offset, [...a.strides.slice(0, rank), row, 0, depthA]),
      load(1, b.offset, [...b.strides.slice(0, rank), 0, column, depthB]),
    ],
    factors: [0, 1],
  };
}

function convolutionProducts(kernel: ConvolutionKernel): Products {
  switch (kernel.kind) {
    case "conv2d":
      return forwardProducts(kernel);
    case "conv2dInputGradient":
      return inputGradientProducts(kernel);
    case "conv2dWeightGradient":
      return weightGradientProducts(kernel);
    default:
      return kernel.kind satisfies never;
  }
}

/** Names of the loop's variables in order: affine functions are written by name. */
type Terms = Readonly<Record<string, number>>;

/** Affine functions over named variables. The group's variable is left out where there is but one group. */
function named(variables: readonly string[]): (terms: Terms, offset?: number) => Affine {
  return (terms, offset = 0) => ({ offset, strides: variables.map((name) => terms[name] ?? 0) });
}

const namesOf = (groups: number, ...names: string[]): string[] =>
  groups === 1 ? names.filter((name) => name !== "group") : names;

const within = (affine: Affine, size: number): Condition => ({ affine, lo: 0, hi: size });

/** The element of x that the tap (kh, kw) of the window at (oh, ow) is on; 0 in the padding. */
function windowLoad({ geometry, x, weight, dtype }: ConvolutionKernel, at: ReturnType<typeof named>): Instruction {
  const { stride, padding, dilation } = geometry;
  const [, c, h, w] = x;
  const rows = at({ oh: stride[0], kh: dilation[0] }, -padding[0]);
  const columns = at({ ow: stride[1], kw: dilation[1] }, -padding[1]);
  return {
    id: 0,
    op: "load",
    dtype,
    slot: 0,
    at: at(
      {
        n: c * h * w,
        group: weight[1] * h * w,
        c: h * w,
        oh: stride[0] * w,
        kh: dilation[0] * w,
        ow: stride[1],
        kw: dilation[1],
      },
      -padding[0] * w - padding[1],
    ),
    conditions: [within(rows, h), within(columns, w)],
  };
}

/** The weight of output channel o, input channel c, tap (kh, kw). */
function weightLoad(
  { geometry, weight, dtype }: ConvolutionKernel,
  at: ReturnType<typeof named>,
): DistributedOmit<Extract<Instruction, { op: "load" }>, "id"> {
  const [o, cg, kh, kw] = weight;
  const group = (o / geometry.groups) * cg * kh * kw;
  return { op: "load", dtype, slot: 1, at: at({ group, o: cg * kh * kw, c: kh * kw, kh: kw, kw: 1 }) };
}

function forwardProducts(kernel: ConvolutionKernel): Products {
  const { geometry, x, weight, y } = kernel;
  const { groups } = geometry;
  const [n] = x;
  const [o, cg, kh, kw] = weight;
  const [, , oh, ow] = y;
  const at = named(namesOf(groups, "n", "group", "o", "oh", "ow", "c", "kh", "kw"));
  return {
    result: [n, groupedAxis(groups, o / groups), oh, ow].map((axis) =>
      typeof axis === "number" ? plainAxis(axis) : axis,
    ),
    inner: [cg, kh, kw],
    body: [windowLoad(kernel, at), { id: 1, ...weightLoad(kernel, at) }],
    factors: [0, 1],
  };
}

function weightGradientProducts(kernel: ConvolutionKernel): Products {
  const { geometry, x, weight, y, dtype } = kernel;
  const { groups } = geometry;
  const [n] = x;
  const [o, cg, kh, kw] = weight;
  const [, , oh, ow] = y;
  const at = named(namesOf(groups, "group", "o", "c", "kh", "kw", "n", "oh", "ow"));
  return {
    result: [groupedAxis(groups, o / groups), plainAxis(cg), plainAxis(kh), plainAxis(kw)],
    inner: [n, oh, ow],
    body: [
      windowLoad(kernel, at),
      {
        id: 1,
        op: "load",
        dtype,
        slot: 1,
        at: at({ n: o * oh * ow, group: (o / groups) * oh * ow, o: oh * ow, oh: ow, ow: 1 }),
      },
    ],
    factors: [0, 1],
  };
}

/**
 * The gradient at row r of x takes the output gradient of row (r + padding - kh·dilation) / stride, where that is a whole
 * number: an affine function for a stride of 1, else a number computed and looked up.
 */
function inputGradientProducts(kernel: ConvolutionKernel): Products {
  const { geometry, x, weight, y, dtype } = kernel;
  const { stride, padding, dilation, groups } = geometry;
  const [n, , h, w] = x;
  const [o, cg, kh, kw] = weight;
  const [, , oh, ow] = y;
  const at = named(namesOf(groups, "n", "group", "c", "h", "w", "o", "kh", "kw"));
  const body: Instruction[] = [];
  const conditions: Condition[] = [];
  const strides: Record<string, number> = { n: o * oh * ow, group: (o / groups) * oh * ow, o: oh * ow };
  let offset = 0;
  const dynamic: { value: Value; stride: number; size: number }[] = [];
  const hits: Value[] = [];
  const add = (instruction: DistributedOmit<Instruction, "id">): Value => {
    const id = body.length;
    body.push({ id, ...instruction } as Instruction);
    return id;
  };
  const axes = [
    { position: "h", tap: "kh", index: 0, size: oh, elements: ow },
    { position: "w", tap: "kw", index: 1, size: ow, elements: 1 },
  ] as const;
  for (const { position, tap, index, size, elements } of axes) {
    const spread = at({ [position]: 1, [tap]: -dilation[index] }, padding[index]);
    if (stride[index] === 1) {
      conditions.push(within(spread, size));
      strides[position] = elements;
      strides[tap] = -dilation[index] * elements;
      offset += padding[index] * elements;
      continue;
    }
    const constant = (value: number): Value => add({ op: "constant", dtype: "int32", value });
    const from = add({ op: "index", dtype: "int32", affine: spread });
    const step = constant(stride[index]);
    const quotient = add({ op: "div", dtype: "int32", args: [from, step] });
    const back = add({ op: "mul", dtype: "int32", args: [quotient, step] });
    const whole = add({ op: "equal", dtype: "bool", args: [back, from] });
    const inside = add({
      op: "inside",
      dtype: "bool",
      conditions: [{ affine: spread, lo: 0, hi: size * stride[index] }],
    });
    const hit = add({ op: "and", dtype: "bool", args: [whole, inside] });
    hits.push(hit);
    dynamic.push({
      value: add({ op: "where", dtype: "int32", args: [hit, quotient, constant(0)] }),
      stride: elements,
      size,
    });
  }
  const gradientAt: Affine = { ...at(strides, offset), ...(dynamic.length > 0 ? { dynamic } : {}) };
  let gradient = add({ op: "load", dtype, slot: 0, at: gradientAt, conditions });
  if (hits.length > 0) {
    const zero = add({ op: "constant", dtype, value: 0 });
    for (const hit of hits) gradient = add({ op: "where", dtype, args: [hit, gradient, zero] });
  }
  const weights = add(weightLoad(kernel, at));
  return {
    result: [plainAxis(n), groupedAxis(groups, cg), plainAxis(h), plainAxis(w)],
    inner: [o / groups, kh, kw],
    body,
    factors: [gradient, weights],
  };
}

type DistributedOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
