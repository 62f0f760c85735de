/** Matrix products, convolutions and indexed kernels that read, add up or order the wrong things. */
import {
  type BufferSpec,
  type ContractionKernel,
  computeDType,
  contiguousStrides,
  type Instruction,
  type Kernel,
  type LoopKernel,
  type MatmulKernel,
  type Operand,
  type Program,
} from "@thalweg/core/backend";
import { type Mutant, programMutant } from "./mutant.ts";
import { dtypesOf, exchanged, kernelsOf } from "./rewrite.ts";

/** One less where there is more than one. */
const less = (n: number): number => (n > 1 ? n - 1 : n);

const operand = (which: "a" | "b", change: (operand: Operand, kernel: MatmulKernel) => Operand) =>
  kernelsOf(["matmul"], (kernel) => {
    const changed = change(kernel[which], kernel);
    return changed === kernel[which] ? kernel : { ...kernel, [which]: changed };
  });
const turned = (given: Operand): Operand => {
  const { length } = given.strides;
  return { ...given, strides: exchanged(given.strides, length - 2, length - 1) };
};

const contractionKinds = ["matmul", "conv2d", "conv2dInputGradient", "conv2dWeightGradient"] as const;
const convolutionKinds = ["conv2d", "conv2dInputGradient", "conv2dWeightGradient"] as const;

/** The last operation of an epilogue is left out: its first operand is stored. */
const withoutLastOperation = kernelsOf(contractionKinds, (kernel: ContractionKernel): Kernel => {
  const dtypes = dtypesOf(kernel);
  const { body } = kernel.epilogue;
  const made = new Map(body.map((instruction) => [instruction.id, instruction]));
  const skip = (value: number): number => {
    const instruction = made.get(value) as Instruction;
    const from =
      "args" in instruction ? instruction.args.find((arg) => dtypes.get(arg) === dtypes.get(value)) : undefined;
    return from ?? value;
  };
  const next = body.map((instruction) => {
    if (instruction.op !== "store") return instruction;
    const value = skip(instruction.value);
    return value === instruction.value ? instruction : { ...instruction, value };
  });
  return next.every((instruction, i) => instruction === body[i])
    ? kernel
    : { ...kernel, epilogue: { ...kernel.epilogue, body: next } };
});

const contractions: readonly Mutant[] = [
  programMutant("epilogues without their last operation", withoutLastOperation),
  programMutant(
    "matmul that leaves the last product of a sum out",
    kernelsOf(["matmul"], (kernel) => (kernel.k > 1 ? { ...kernel, k: kernel.k - 1 } : kernel)),
  ),
  programMutant(
    "matmul that leaves the last column out",
    kernelsOf(["matmul"], (kernel) => (kernel.n > 1 ? { ...kernel, n: kernel.n - 1 } : kernel)),
  ),
  programMutant(
    "matmul with its first operand transposed",
    operand("a", (a, { m, k }) => (m > 1 && k > 1 ? turned(a) : a)),
  ),
  programMutant(
    "matmul with its second operand transposed",
    operand("b", (b, { n, k }) => (n > 1 && k > 1 ? turned(b) : b)),
  ),
  programMutant(
    "matmul that reads the first batch always",
    operand("a", (a, { batch }) =>
      batch.some((n) => n > 1) ? { ...a, strides: a.strides.map((n, i) => (i < batch.length ? 0 : n)) } : a,
    ),
  ),
  programMutant(
    "matmul that forgets where an operand starts",
    operand("b", (b) => (b.offset > 0 ? { ...b, offset: 0 } : b)),
  ),
  ...convolutionKinds.map((kind) =>
    programMutant(
      `${kind} with less padding`,
      kernelsOf([kind], (kernel) => {
        const { geometry } = kernel;
        const [rows, columns] = geometry.padding;
        return rows + columns > 0
          ? { ...kernel, geometry: { ...geometry, padding: [Math.max(0, rows - 1), Math.max(0, columns - 1)] } }
          : kernel;
      }),
    ),
  ),
  programMutant(
    "convolutions with padding exchanged",
    kernelsOf(convolutionKinds, (kernel) => {
      const [rows, columns] = kernel.geometry.padding;
      return rows === columns ? kernel : { ...kernel, geometry: { ...kernel.geometry, padding: [columns, rows] } };
    }),
  ),
  programMutant(
    "convolutions without dilation",
    kernelsOf(convolutionKinds, (kernel) =>
      Math.max(...kernel.geometry.dilation) > 1
        ? { ...kernel, geometry: { ...kernel.geometry, dilation: [1, 1] } }
        : kernel,
    ),
  ),
  programMutant(
    "convolutions with stride 1",
    kernelsOf(convolutionKinds, (kernel) =>
      Math.max(...kernel.geometry.stride) > 1
        ? { ...kernel, geometry: { ...kernel.geometry, stride: [1, 1] } }
        : kernel,
    ),
  ),
  programMutant(
    "convolutions in one group",
    kernelsOf(convolutionKinds, (kernel) => {
      if (kernel.geometry.groups === 1) return kernel;
      const [n, , h, w] = kernel.x;
      return { ...kernel, x: [n, kernel.weight[1], h, w], geometry: { ...kernel.geometry, groups: 1 } };
    }),
  ),
];

/** `kernel` followed by others. */
const followed =
  (change: (kernel: Kernel, program: Program) => readonly Kernel[] | undefined) =>
  (program: Program): Program => {
    const lists = program.kernels.map((kernel) => change(kernel, program));
    if (lists.every((list) => list === undefined)) return program;
    return { ...program, kernels: program.kernels.flatMap((kernel, i) => lists[i] ?? [kernel]) };
  };

const elementwise = (
  label: string,
  shape: readonly number[],
  buffers: readonly number[],
  body: readonly Instruction[],
): LoopKernel => ({
  kind: "loop",
  label,
  outer: shape,
  inner: [],
  stages: [{ over: "outer", body }],
  segments: [{ size: shape.reduce((size, n) => size * n, 1), buffers }],
});

const dtypeOf = (program: Program, buffer: number) => computeDType((program.buffers[buffer] as BufferSpec).dtype);

/** Sorts every axis from its end, so that equal elements come in reverse. */
function unstable(program: Program): Program {
  const buffers = [...program.buffers];
  let { arenaBytes } = program;
  const next = followed((kernel) => {
    if (kernel.kind !== "argSort" || kernel.size < 2) return undefined;
    const shape = [kernel.outer, kernel.size, kernel.inner];
    const strides = contiguousStrides(shape);
    const dtype = dtypeOf(program, kernel.input);
    const size = shape.reduce((a, b) => a * b, 1);
    arenaBytes = Math.ceil(arenaBytes / 64) * 64;
    const reversed =
      buffers.push({
        dtype: (program.buffers[kernel.input] as BufferSpec).dtype,
        size,
        kind: "temporary",
        offset: arenaBytes,
      }) - 1;
    arenaBytes += 8 * size;
    const [row, step, column] = strides as [number, number, number];
    const from = { offset: (kernel.size - 1) * step, strides: [row, -step, column] };
    const at = { offset: 0, strides };
    return [
      elementwise(
        "reversed",
        shape,
        [kernel.input, reversed],
        [
          { id: 0, op: "load", dtype, slot: 0, at: from },
          { id: 1, op: "store", slot: 1, at, value: 0 },
        ],
      ),
      { ...kernel, input: reversed },
      elementwise(
        "from the end",
        shape,
        [kernel.output],
        [
          { id: 0, op: "load", dtype: "int32", slot: 0, at },
          { id: 1, op: "constant", dtype: "int32", value: kernel.size - 1 },
          { id: 2, op: "sub", dtype: "int32", args: [1, 0] },
          { id: 3, op: "store", slot: 0, at, value: 2 },
        ],
      ),
    ];
  })(program);
  return next === program ? program : { ...next, buffers, arenaBytes };
}

const indexed: readonly Mutant[] = [
  programMutant(
    "scatterAdd that overwrites",
    kernelsOf(["scatterAdd"], (kernel, program) => {
      const { shape, targetShape, axis, target, index, source } = kernel;
      const strides = contiguousStrides(targetShape);
      const along = strides[axis] as number;
      return elementwise(
        "scatter",
        shape,
        [index.buffer, source.buffer, target],
        [
          { id: 0, op: "load", dtype: dtypeOf(program, index.buffer) as "int32", slot: 0, at: index },
          { id: 1, op: "load", dtype: dtypeOf(program, source.buffer), slot: 1, at: source },
          {
            id: 2,
            op: "store",
            slot: 2,
            at: {
              offset: 0,
              strides: strides.map((n, i) => (i === axis ? 0 : n)),
              dynamic: [{ value: 0, stride: along, size: targetShape[axis] as number }],
            },
            value: 1,
          },
        ],
      );
    }),
  ),
  programMutant(
    "scatterAdd that leaves its last source out",
    kernelsOf(["scatterAdd"], (kernel) => {
      const shape = kernel.shape.map((n, i) => (i === kernel.axis ? less(n) : n));
      return shape.join() === kernel.shape.join() ? kernel : { ...kernel, shape };
    }),
  ),
  programMutant(
    "scatterAdd with its source one early",
    kernelsOf(["scatterAdd"], (kernel) =>
      kernel.source.offset > 0 ? { ...kernel, source: { ...kernel.source, offset: kernel.source.offset - 1 } } : kernel,
    ),
  ),
  programMutant(
    "cumSum without the element itself",
    followed((kernel, program) => {
      if (kernel.kind !== "cumSum") return undefined;
      const dtype = dtypeOf(program, kernel.input);
      const shape = [kernel.outer * kernel.size * kernel.inner];
      const at = { offset: 0, strides: [1] };
      return [
        kernel,
        elementwise(
          "exclusive",
          shape,
          [kernel.output, kernel.input],
          [
            { id: 0, op: "load", dtype, slot: 0, at },
            { id: 1, op: "load", dtype, slot: 1, at },
            { id: 2, op: "sub", dtype, args: [0, 1] },
            { id: 3, op: "store", slot: 0, at, value: 2 },
          ],
        ),
      ];
    }),
  ),
  programMutant(
    "cumSum that runs on over rows",
    kernelsOf(["cumSum"], (kernel) =>
      kernel.outer > 1 && kernel.inner === 1 ? { ...kernel, outer: 1, size: kernel.outer * kernel.size } : kernel,
    ),
  ),
  programMutant(
    "argSort the other way round",
    kernelsOf(["argSort"], (kernel) => ({ ...kernel, descending: !kernel.descending })),
  ),
  programMutant("argSort that is not stable", unstable),
];

export const contractionMutants: readonly Mutant[] = [...contractions, ...indexed];
