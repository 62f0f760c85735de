import { describe, expect, test } from "vitest";
import type { ComputeDType } from "../graph/dtype.ts";
import { ProgramError } from "../graph/errors.ts";
import type {
  Affine,
  BufferSpec,
  ConvolutionKernel,
  Instruction,
  Kernel,
  LoopKernel,
  MatmulKernel,
  Program,
  Stage,
} from "./program.ts";
import { validateProgram } from "./validate.ts";

const affine = (offset: number, ...strides: number[]): Affine => ({ offset, strides });
const load = (id: number, slot: number, at = affine(0, 1), dtype: ComputeDType = "float32"): Instruction => ({
  id,
  op: "load",
  dtype,
  slot,
  at,
});
const store = (id: number, slot: number, value: number, at = affine(0, 1)): Instruction => ({
  id,
  op: "store",
  slot,
  at,
  value,
});
const add = (id: number, a: number, b: number, dtype: ComputeDType = "float32"): Instruction => ({
  id,
  op: "add",
  dtype,
  args: [a, b],
});

/** b0 input, b1 parameter, b2 output: float32[8]; b3 input: int32[8]; from b4 on what a test adds. */
const buffers: readonly BufferSpec[] = [
  { dtype: "float32", size: 8, kind: "input" },
  { dtype: "float32", size: 8, kind: "parameter" },
  { dtype: "float32", size: 8, kind: "output" },
  { dtype: "int32", size: 8, kind: "input" },
];
const temporary = (offset: number, size = 8): BufferSpec => ({ dtype: "float32", size, kind: "temporary", offset });

const loop = (stages: readonly Stage[], more: Partial<LoopKernel> = {}): LoopKernel => ({
  kind: "loop",
  label: "k",
  outer: [8],
  inner: [],
  stages,
  segments: [{ size: 8, buffers: [0, 1, 2, 3] }],
  ...more,
});
const outer = (...body: Instruction[]): Stage => ({ over: "outer", body });
const inner = (...body: Instruction[]): Stage => ({ over: "inner", body });
const copy = (from: number, to: number, more: Partial<LoopKernel> = {}): LoopKernel =>
  loop([outer(load(0, 0), store(1, 1, 0))], { segments: [{ size: 8, buffers: [from, to] }], ...more });

const program = (
  kernels: readonly Kernel[],
  more: readonly BufferSpec[] = [],
  rest: Partial<Program> = {},
): Program => ({
  buffers: [...buffers, ...more],
  uniforms: [{ name: "lr", dtype: "float32" }],
  kernels,
  arenaBytes: 256,
  ...rest,
});
/** One kernel of one outer stage, over 8 elements of slots 0 … 3 = b0 … b3; writes b2. */
const body = (...instructions: Instruction[]): Program => program([loop([outer(...instructions, store(99, 2, 0))])]);

const linear: MatmulKernel = {
  kind: "matmul",
  label: "linear",
  dtype: "float32",
  batch: [],
  m: 2,
  n: 4,
  k: 2,
  a: { buffer: 0, offset: 0, strides: [2, 1] },
  b: { buffer: 1, offset: 0, strides: [4, 1] },
  epilogue: { body: [{ id: 0, op: "accumulator", dtype: "float32" }, store(1, 0, 0, affine(0, 4, 1))], buffers: [2] },
};
const convolution: ConvolutionKernel = {
  kind: "conv2d",
  label: "conv",
  dtype: "float32",
  geometry: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 },
  x: [1, 2, 2, 2],
  weight: [2, 2, 2, 1],
  y: [1, 2, 1, 2],
  a: 0,
  b: 1,
  epilogue: {
    body: [{ id: 0, op: "accumulator", dtype: "float32" }, store(1, 0, 0, affine(0, 4, 2, 2, 1))],
    buffers: [2],
  },
};
const scatter: Extract<Kernel, { kind: "scatterAdd" }> = {
  kind: "scatterAdd",
  label: "scatter",
  axis: 0,
  targetShape: [8],
  shape: [4],
  target: 2,
  index: { buffer: 3, offset: 0, strides: [1] },
  source: { buffer: 0, offset: 4, strides: [1] },
};

const valid: readonly (readonly [string, Program])[] = [
  ["a copy", program([copy(0, 2)])],
  ["a chain through a temporary", program([copy(0, 4), copy(4, 2)], [temporary(64)])],
  [
    "temporaries that share bytes one after the other",
    program([copy(0, 4), copy(4, 2), copy(0, 5), copy(5, 1)], [temporary(0), temporary(0)]),
  ],
  [
    "a temporary overwritten in place by another",
    program([copy(0, 4), copy(4, 5), copy(5, 2)], [temporary(0), temporary(0)]),
  ],
  [
    "a parameter updated in place",
    program([loop([outer(load(0, 0), load(1, 1), add(2, 0, 1), store(3, 1, 2), store(4, 2, 2))])]),
  ],
  [
    "reads and writes of disjoint parts",
    program([
      copy(0, 2),
      loop([outer(load(0, 2), store(1, 2, 0, affine(4, 1)))], {
        outer: [4],
        segments: [{ size: 4, buffers: [0, 1, 2] }],
      }),
    ]),
  ],
  [
    "a reduction used by a later stage",
    program([
      loop(
        [
          inner(load(0, 0, affine(0, 4, 1)), { id: 1, op: "reduce", dtype: "float32", fn: "sum", value: 0 }),
          outer(store(2, 2, 1, affine(0, 1, 0))),
        ],
        { outer: [2], inner: [4], segments: [{ size: 2, buffers: [0, 1, 2] }] },
      ),
    ]),
  ],
  [
    "a masked load past the end",
    body({ ...load(0, 0, affine(-4, 1)), conditions: [{ affine: affine(-4, 1), lo: 0, hi: 8 }] } as Instruction),
  ],
  [
    "a gather",
    body(
      load(5, 3, affine(0, 1), "int32"),
      load(0, 0, { offset: 0, strides: [0], dynamic: [{ value: 5, stride: 1, size: 8 }] }),
    ),
  ],
  ["a matmul", program([linear])],
  ["a convolution", program([convolution])],
  ["a scatter into an initialised output", program([copy(0, 2), scatter])],
  [
    "a window whose masks speak of several variables",
    program([
      loop(
        [
          inner(
            {
              ...load(0, 0, affine(-3, 2, 1, 2, 1)),
              conditions: [
                { affine: affine(-1, 1, 0, 1, 0), lo: 0, hi: 4 },
                { affine: affine(-1, 0, 1, 0, 1), lo: 0, hi: 2 },
              ],
            } as Instruction,
            { id: 1, op: "reduce", dtype: "float32", fn: "sum", value: 0 },
          ),
          outer(store(2, 1, 1, affine(0, 2, 1, 0, 0))),
        ],
        { outer: [4, 2], inner: [3, 3], segments: [{ size: 8, buffers: [0, 2] }] },
      ),
    ]),
  ],
  [
    "a scratch row written in one stage and read in the next",
    program([
      loop(
        [
          inner(load(0, 0, affine(0, 4, 1)), store(1, 1, 0, affine(0, 4, 1))),
          inner(load(2, 1, affine(0, 4, 1)), store(3, 1, 2, affine(0, 4, 1))),
        ],
        { outer: [2], inner: [4], segments: [{ size: 2, buffers: [0, 2] }] },
      ),
    ]),
  ],
  [
    "an empty iteration space",
    program([copy(0, 2), copy(4, 2, { outer: [0], segments: [{ size: 0, buffers: [4, 2] }] })], [temporary(0)]),
  ],
];

const uint = (id: number): Instruction => ({ id, op: "constant", dtype: "uint32", value: 1 });
const int = (id: number): Instruction => ({ id, op: "constant", dtype: "int32", value: 1 });
const flag = (id: number): Instruction => ({ id, op: "constant", dtype: "bool", value: 1 });
const two = (more: Partial<LoopKernel>, instructions: Instruction[] = [load(0, 0), store(1, 1, 0)]): Program =>
  program(
    [
      copy(0, 2),
      loop([outer(...instructions)], {
        segments: [
          { size: 4, buffers: [0, 4] },
          { size: 4, buffers: [0, 5] },
        ],
        ...more,
      }),
    ],
    [
      { dtype: "float32", size: 4, kind: "output" },
      { dtype: "float32", size: 4, kind: "output" },
    ],
  );

/** One Program per rule, and what the message must say. */
const broken: readonly (readonly [message: string, program: Program])[] = [
  // Buffers, arena.
  [
    "buffer b4: unknown dtype float8",
    program([copy(0, 2)], [{ dtype: "float8" as "float32", size: 1, kind: "input" }]),
  ],
  ["buffer b4: size -1 is not", program([copy(0, 2)], [{ dtype: "float32", size: -1, kind: "input" }])],
  [
    "buffer b4: unknown kind scratch",
    program([copy(0, 2)], [{ dtype: "float32", size: 1, kind: "scratch" as "input" }]),
  ],
  [
    "buffer b4: input has an arena offset",
    program([copy(0, 2)], [{ dtype: "float32", size: 1, kind: "input", offset: 0 }]),
  ],
  [
    "buffer b4: a temporary needs an arena offset",
    program([copy(0, 2)], [{ dtype: "float32", size: 1, kind: "temporary" }]),
  ],
  ["buffer b4: arena offset 32 is not a multiple of 64", program([copy(0, 2)], [temporary(32)])],
  ["buffer b4: ends at byte 288 of an arena of 256", program([copy(0, 2)], [temporary(256)])],
  ["arenaBytes -1", program([copy(0, 2)], [], { arenaBytes: -1 })],
  [
    "uniform 0 (lr): bfloat16 is not",
    program([copy(0, 2)], [], { uniforms: [{ name: "lr", dtype: "bfloat16" as "float32" }] }),
  ],
  [
    "temporaries b4 (kernels 0 to 2) and b5 (kernels 1 to 3) share arena bytes",
    program([copy(0, 4), copy(0, 5), copy(4, 2), copy(5, 1)], [temporary(0), temporary(0)]),
  ],
  [
    "share arena bytes while both live",
    program(
      [copy(0, 4), copy(4, 5, { stages: [outer(load(0, 0, affine(7, -1)), store(1, 1, 0))] }), copy(5, 2)],
      [temporary(0), temporary(0)],
    ),
  ],
  ["output b4 is never written", program([copy(0, 2)], [{ dtype: "float32", size: 1, kind: "output" }])],
  // Order and memory.
  [
    'kernel 0 (loop "k"): v0: reads b4, a temporary, before anything is written to it',
    program([copy(4, 2)], [temporary(0)]),
  ],
  ["v0: reads b2, an output, before", program([copy(2, 1)])],
  ["v1: writes b0, an input", program([copy(1, 0)])],
  [
    "v0 and v1: one writes what the other reads of b1 at another iteration",
    program([loop([outer(load(0, 1, affine(7, -1)), store(1, 1, 0))])]),
  ],
  [
    "v1: every iteration of variable 0 writes the same element of b2",
    program([loop([outer(load(0, 0), store(1, 2, 0, affine(3, 0)))])]),
  ],
  // Bounds.
  ["v0: reaches element 8 of b0, which has 8", body(load(0, 0, affine(1, 1)))],
  ["v0: reaches element -1 of b0, which has 8", body(load(0, 0, affine(-1, 1)))],
  ["v1: reaches element 14 of b2", program([loop([outer(load(0, 0), store(1, 2, 0, affine(0, 2)))])])],
  [
    "v0: reaches element 8 of b0",
    body({ ...load(0, 0, affine(1, 1)), conditions: [{ affine: affine(0, 1), lo: 1, hi: 8 }] } as Instruction),
  ],
  [
    "v0: reaches element 15 of b0",
    body(
      load(5, 3, affine(0, 1), "int32"),
      load(0, 0, { offset: 0, strides: [0], dynamic: [{ value: 5, stride: 1, size: 16 }] }),
    ),
  ],
  ["operand a: reaches element 8 of b0", program([{ ...linear, a: { buffer: 0, offset: 5, strides: [2, 1] } }])],
  ["operand b: reaches element 10 of b1", program([{ ...linear, b: { buffer: 1, offset: 0, strides: [1, 3] } }])],
  // Values.
  ["v5 (add): operand v7 is not defined before it is used", body(load(0, 0), add(5, 0, 7))],
  ["v0 (load): the value is defined twice", body(load(0, 0), load(0, 0))],
  ["v-1 (load): values are numbered", body(load(-1, 0))],
  [
    "v3 (store): operand v0 is not visible here",
    program([loop([inner(load(0, 0, affine(0, 1, 0))), outer(store(3, 2, 0, affine(0, 1, 0)))], { inner: [2] })]),
  ],
  [
    "v2 (add): operand v1 is not visible here",
    program([
      loop(
        [
          inner(
            load(0, 0, affine(0, 1, 0)),
            { id: 1, op: "reduce", dtype: "float32", fn: "sum", value: 0 },
            add(2, 1, 0),
            store(3, 2, 2, affine(0, 1, 0)),
          ),
        ],
        { inner: [1] },
      ),
    ]),
  ],
  ["v0 (load): slot 9 is out of range: there are 4", body(load(0, 9))],
  [
    "v4 (uniform): uniform 1 is out of range: there are 1",
    body(load(0, 0), { id: 4, op: "uniform", dtype: "float32", uniform: 1 }),
  ],
  [
    "v4 (uniform): result is int32, but uniform lr is float32",
    body(load(0, 0), { id: 4, op: "uniform", dtype: "int32", uniform: 0 }),
  ],
  ["v0 (load): 2 strides for 1 loop variables", body(load(0, 0, affine(0, 1, 0)))],
  [
    "v0 (load): an outer stage has no inner variables",
    program([loop([outer(load(0, 0, affine(0, 0, 1)), store(1, 2, 0, affine(0, 1, 0)))], { inner: [2] })]),
  ],
  ["v0 (load): stride 0.5 is not a whole number", body(load(0, 0, affine(0, 0.5)))],
  [
    "v0 (load): dynamic index v5 is float32",
    body(load(5, 0), load(0, 0, { offset: 0, strides: [0], dynamic: [{ value: 5, stride: 1, size: 8 }] })),
  ],
  [
    "v4 (frobnicate): unknown instruction",
    body(load(0, 0), { id: 4, op: "frobnicate" as "neg", dtype: "float32", args: [0] }),
  ],
  // Dtypes.
  ["v0 (load): value is int32, but buffer b0 holds float32", body(load(0, 0, affine(0, 1), "int32"))],
  ["v99 (store): value is int32, but buffer b2 holds float32", body(int(0))],
  [
    "v4 (neg): bfloat16 is not a dtype arithmetic is done in",
    body(load(0, 0), { id: 4, op: "neg", dtype: "bfloat16" as "float32", args: [0] }),
  ],
  [
    "v4 (exp): operand is int32, expected float",
    body(load(0, 0), int(1), { id: 4, op: "exp", dtype: "int32", args: [1] }),
  ],
  [
    "v4 (isNaN): result is float32, expected bool",
    body(load(0, 0), { id: 4, op: "isNaN", dtype: "float32", args: [0] }),
  ],
  ["v4 (add): operand v1 is int32, expected float32", body(load(0, 0), int(1), add(4, 0, 1))],
  [
    "v4 (less): result is float32, expected bool",
    body(load(0, 0), { id: 4, op: "less", dtype: "float32", args: [0, 0] }),
  ],
  [
    "v4 (xor): operand is float32, expected bool or integer",
    body(load(0, 0), { id: 4, op: "xor", dtype: "float32", args: [0, 0] }),
  ],
  [
    "v4 (where): operand v0 is float32, expected bool",
    body(load(0, 0), { id: 4, op: "where", dtype: "float32", args: [0, 0, 0] }),
  ],
  [
    "v4 (where): operand v1 is bool, expected float32",
    body(load(0, 0), flag(1), { id: 4, op: "where", dtype: "float32", args: [1, 0, 1] }),
  ],
  [
    "v4 (roundTo): rounds float32 to int32",
    body(load(0, 0), { id: 4, op: "roundTo", dtype: "float32", to: "int32", args: [0] }),
  ],
  [
    "v4 (philox): operand v1 is uint32, expected int32",
    body(load(0, 0), uint(1), { id: 4, op: "philox", dtype: "uint32", args: [1, 1, 1, 1, 1] }),
  ],
  ["v4 (constant): 1.5 is not an int32", body(load(0, 0), { id: 4, op: "constant", dtype: "int32", value: 1.5 })],
  [
    "v4 (reduce): stands only in an inner stage",
    body(load(0, 0), { id: 4, op: "reduce", dtype: "float32", fn: "sum", value: 0 }),
  ],
  [
    "v4 (reduce): result is float32, expected int32",
    program([
      loop([inner(load(0, 0, affine(0, 1, 0)), { id: 4, op: "reduce", dtype: "float32", fn: "argMax", value: 0 })], {
        inner: [1],
      }),
    ]),
  ],
  ["v4 (accumulator): stands only in the epilogue", body(load(0, 0), { id: 4, op: "accumulator", dtype: "float32" })],
  // Loops and segments.
  ["nothing is stored", program([loop([outer(load(0, 0))])])],
  ["there are no segments", program([loop([outer(load(0, 0))], { segments: [] })])],
  ["segment 0, slot 1: buffer 77 is out of range: there are 4", program([copy(0, 77)])],
  [
    "segments hold 7 elements together, outer [8] has 8",
    program([copy(0, 2, { segments: [{ size: 7, buffers: [0, 2] }] })]),
  ],
  ["outer [-8]: sizes must be", program([copy(0, 2, { outer: [-8] })])],
  ["with several segments outer has rank 1", two({ outer: [2, 4] })],
  [
    "segment 1 has 1 buffers, segment 0 has 2",
    two({
      segments: [
        { size: 4, buffers: [0, 4] },
        { size: 4, buffers: [0] },
      ],
    }),
  ],
  [
    "v0 (load): with several segments an access is contiguous or a broadcast scalar",
    two({}, [load(0, 0, affine(1, 1)), store(1, 1, 0)]),
  ],
  [
    "v1 and v1: one writes what the other writes of b4",
    two({
      segments: [
        { size: 4, buffers: [0, 4] },
        { size: 4, buffers: [0, 4] },
      ],
    }),
  ],
  // Contractions and indexed kernels.
  [
    "the epilogue does not use the accumulator",
    program([
      { ...linear, epilogue: { body: [load(0, 0, affine(0, 4, 1)), store(1, 0, 0, affine(0, 4, 1))], buffers: [1] } },
    ]),
  ],
  [
    "the epilogue stores nothing",
    program([{ ...linear, epilogue: { body: [{ id: 0, op: "accumulator", dtype: "float32" }], buffers: [] } }]),
  ],
  [
    "result is float64, but the contraction is in float32",
    program([
      {
        ...linear,
        epilogue: {
          body: [{ id: 0, op: "accumulator", dtype: "float64" }, store(1, 0, 0, affine(0, 4, 1))],
          buffers: [2],
        },
      },
    ]),
  ],
  ["operand a: 3 strides for 2 axes", program([{ ...linear, a: { buffer: 0, offset: 0, strides: [1, 1, 1] } }])],
  [
    "operand a: b3 holds int32, expected float32",
    program([{ ...linear, a: { buffer: 3, offset: 0, strides: [2, 1] } }]),
  ],
  ["operand b: buffer 9 is out of range", program([{ ...linear, b: { buffer: 9, offset: 0, strides: [4, 1] } }])],
  [
    "operand a: b0 has 8 elements, [2, 2, 2, 2] needs 16",
    program([{ ...convolution, x: [2, 2, 2, 2], y: [2, 2, 1, 2] }]),
  ],
  ["batch sizes differ", program([{ ...convolution, x: [2, 2, 2, 2] }])],
  [
    "channels do not divide into 2 groups",
    program([{ ...convolution, geometry: { ...convolution.geometry, groups: 2 } }]),
  ],
  [
    "stride [0, 1]: expected whole numbers from 1",
    program([{ ...convolution, geometry: { ...convolution.geometry, stride: [0, 1] } }]),
  ],
  ["y has 2 windows on spatial axis 0, at most 1 fit", program([{ ...convolution, y: [1, 2, 2, 2] }])],
  ["axis 1 is out of range for rank 1", program([copy(0, 2), { ...scatter, axis: 1 }])],
  ["ranks differ: [4] and [8, 1]", program([copy(0, 2), { ...scatter, targetShape: [8, 1] }])],
  ["operand target: b2 has 8 elements, [7] needs 7", program([copy(0, 2), { ...scatter, targetShape: [7] }])],
  [
    "operand index: b0 holds float32, expected int32 or uint32",
    program([copy(0, 2), { ...scatter, index: scatter.source }]),
  ],
  [
    "operand source: reaches element 9 of b0",
    program([copy(0, 2), { ...scatter, source: { buffer: 0, offset: 6, strides: [1] } }]),
  ],
  ["operand target: reads b2, an output, before", program([scatter])],
  [
    "operand output: b2 holds float32, expected int32",
    program([{ kind: "argSort", label: "sort", outer: 1, size: 8, inner: 1, descending: false, input: 0, output: 2 }]),
  ],
  [
    "operand input: b0 has 8 elements, [3, 3, 1] needs 9",
    program([{ kind: "cumSum", label: "sum", outer: 3, size: 3, inner: 1, input: 0, output: 2 }]),
  ],
  [
    "one writes what the other reads of b1",
    program([{ kind: "cumSum", label: "sum", outer: 1, size: 8, inner: 1, input: 1, output: 1 }]),
  ],
  [
    "shape [4, 2] is larger than the target [8, 1] on axis 1",
    program([
      copy(0, 2),
      {
        ...scatter,
        shape: [4, 2],
        targetShape: [8, 1],
        index: { buffer: 3, offset: 0, strides: [1, 0] },
        source: { buffer: 0, offset: 0, strides: [2, 1] },
      },
    ]),
  ],
  ["operand source: b3 holds int32, expected float32", program([copy(0, 2), { ...scatter, source: scatter.index }])],
  [
    "operand input: b4 holds bool, which has no sum",
    program(
      [{ kind: "cumSum", label: "sum", outer: 1, size: 8, inner: 1, input: 4, output: 2 }],
      [{ dtype: "bool", size: 8, kind: "input" }],
    ),
  ],
  [
    "operand output: b2 holds float32, expected int32",
    program([{ kind: "cumSum", label: "sum", outer: 1, size: 8, inner: 1, input: 3, output: 2 }]),
  ],
  ["a matmul does not take bool", program([{ ...linear, dtype: "bool" }])],
  [
    "v99 (store): a store has no conditions",
    program([loop([outer(load(0, 0), { ...store(99, 2, 0), conditions: [] } as Instruction)])]),
  ],
  [
    "v4 (inside): condition [0.5, 2) is not in whole numbers",
    body(load(0, 0), { id: 4, op: "inside", dtype: "bool", conditions: [{ affine: affine(0, 1), lo: 0.5, hi: 2 }] }),
  ],
  [
    "v4 (reduce): sum does not take bool",
    program([loop([inner(flag(0), { id: 4, op: "reduce", dtype: "bool", fn: "sum", value: 0 })], { inner: [1] })]),
  ],
  ['kernel 0 (fft "f"): unknown kind', program([{ kind: "fft", label: "f" } as unknown as Kernel])],
];

describe("validateProgram accepts", () => {
  test.each(valid)("%s", (_, good) => {
    expect(() => validateProgram(good)).not.toThrow();
  });
});

describe("validateProgram rejects", () => {
  test.each(broken)("%s", (message, bad) => {
    expect(() => validateProgram(bad)).toThrow(ProgramError);
    expect(() => validateProgram(bad)).toThrow(message);
  });
});
