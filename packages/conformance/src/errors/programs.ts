/** Programs that break one rule of the format each. No backend ever sees one: the validator says what is wrong with it, and where. */
import { type Instruction, type Kernel, type Program, ProgramError, validateProgram } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { expectError } from "./expectError.ts";

import {
  at,
  body,
  convolution,
  copy,
  inner,
  load,
  loop,
  operand,
  outer,
  product,
  program,
  scatter,
  segments,
  store,
  temporary,
} from "./programParts.ts";

const k = 'kernel 0 (loop "k"): ';
const m = 'kernel 0 (matmul "m"): ';

/** What is wrong, what the message must say, and the Program. */
const broken: readonly (readonly [name: string, message: string, program: Program])[] = [
  [
    "a dtype there is not",
    "buffer b4: unknown dtype float8",
    program([copy(0, 2)], [{ dtype: "float8" as "float32", size: 1, kind: "input" }]),
  ],
  [
    "a size below 0",
    "buffer b4: size -1 is not",
    program([copy(0, 2)], [{ dtype: "float32", size: -1, kind: "input" }]),
  ],
  [
    "an input in the arena",
    "buffer b4: input has an arena offset",
    program([copy(0, 2)], [{ dtype: "float32", size: 1, kind: "input", offset: 0 }]),
  ],
  [
    "a temporary outside the arena",
    "buffer b4: a temporary needs an arena offset",
    program([copy(0, 2)], [{ dtype: "float32", size: 1, kind: "temporary" }]),
  ],
  [
    "an offset that is not aligned",
    "buffer b4: arena offset 32 is not a multiple of 64",
    program([copy(0, 2)], [temporary(32)]),
  ],
  [
    "a temporary past the end of the arena",
    "buffer b4: ends at byte 288 of an arena of 256",
    program([copy(0, 2)], [temporary(256)]),
  ],
  [
    "temporaries that share bytes while both live",
    "share arena bytes while both live",
    program([copy(0, 4), copy(0, 5), copy(4, 2), copy(5, 1)], [temporary(0), temporary(0)]),
  ],
  [
    "a uniform of a storage dtype",
    "uniform 0 (lr): bfloat16 is not",
    program([copy(0, 2)], [], { uniforms: [{ name: "lr", dtype: "bfloat16" as "float32" }] }),
  ],
  [
    "an output that is never written",
    "output b4 is never written",
    program([copy(0, 2)], [{ dtype: "float32", size: 1, kind: "output" }]),
  ],
  [
    "a temporary read before it is written",
    `${k}v0: reads b4, a temporary, before anything is written to it`,
    program([copy(4, 2)], [temporary(0)]),
  ],
  ["an output read before it is written", `${k}v0: reads b2, an output, before`, program([copy(2, 1)])],
  ["an input that is written", `${k}v1: writes b0, an input`, program([copy(1, 0)])],
  [
    "iterations that read what others write",
    "one writes what the other reads of b1 at another iteration",
    program([loop([outer(load(0, 1, at(7, -1)), store(1, 1, 0))])]),
  ],
  [
    "iterations that write one element",
    `${k}v1: every iteration of variable 0 writes the same element of b2`,
    program([loop([outer(load(0, 0), store(1, 2, 0, at(3, 0)))])]),
  ],
  ["a load past the end", `${k}v0: reaches element 8 of b0, which has 8`, body(load(0, 0, at(1, 1)))],
  ["a load before the start", `${k}v0: reaches element -1 of b0, which has 8`, body(load(0, 0, at(-1, 1)))],
  [
    "a store past the end",
    `${k}v1: reaches element 14 of b2`,
    program([loop([outer(load(0, 0), store(1, 2, 0, at(0, 2)))])]),
  ],
  [
    "a mask that lets too much through",
    `${k}v0: reaches element 8 of b0`,
    body({ ...load(0, 0, at(1, 1)), conditions: [{ affine: at(0, 1), lo: 1, hi: 8 }] } as Instruction),
  ],
  [
    "a dynamic index of too large a size",
    `${k}v0: reaches element 15 of b0`,
    body(
      { ...load(5, 3), dtype: "int32" } as Instruction,
      load(0, 0, { offset: 0, strides: [0], dynamic: [{ value: 5, stride: 1, size: 16 }] }),
    ),
  ],
  [
    "a dynamic index of floats",
    `${k}v0 (load): dynamic index v5 is float32`,
    body(load(5, 0), load(0, 0, { offset: 0, strides: [0], dynamic: [{ value: 5, stride: 1, size: 8 }] })),
  ],
  [
    "a value used before it is defined",
    `${k}v5 (add): operand v7 is not defined before it is used`,
    body(load(0, 0), { id: 5, op: "add", dtype: "float32", args: [0, 7] }),
  ],
  ["a value defined twice", `${k}v0 (load): the value is defined twice`, body(load(0, 0), load(0, 0))],
  [
    "a value of an inner stage used after it",
    `${k}v3 (store): operand v0 is not visible here`,
    program([loop([inner(load(0, 0, at(0, 1, 0))), outer(store(3, 2, 0, at(0, 1, 0)))], { inner: [2] })]),
  ],
  ["a slot that is not there", `${k}v0 (load): slot 9 is out of range: there are 4`, body(load(0, 9))],
  [
    "a uniform that is not there",
    `${k}v4 (uniform): uniform 1 is out of range: there are 1`,
    body(load(0, 0), { id: 4, op: "uniform", dtype: "float32", uniform: 1 }),
  ],
  [
    "a buffer that is not there",
    `${k}segment 0, slot 1: buffer 77 is out of range: there are 4`,
    program([copy(0, 77)]),
  ],
  ["strides for other loops", `${k}v0 (load): 2 strides for 1 loop variables`, body(load(0, 0, at(0, 1, 0)))],
  [
    "inner variables in an outer stage",
    `${k}v0 (load): an outer stage has no inner variables to step over`,
    program([loop([outer(load(0, 0, at(0, 0, 1)), store(1, 2, 0, at(0, 1, 0)))], { inner: [2] })]),
  ],
  ["half a stride", `${k}v0 (load): stride 0.5 is not a whole number`, body(load(0, 0, at(0, 0.5)))],
  [
    "an instruction there is not",
    `${k}v4 (frobnicate): unknown instruction`,
    body(load(0, 0), { id: 4, op: "frobnicate" as "neg", dtype: "float32", args: [0] }),
  ],
  [
    "a load of another dtype",
    `${k}v0 (load): value is int32, but buffer b0 holds float32`,
    body({ ...load(0, 0), dtype: "int32" } as Instruction),
  ],
  [
    "a store of another dtype",
    `${k}v99 (store): value is int32, but buffer b2 holds float32`,
    body({ id: 0, op: "constant", dtype: "int32", value: 1 }),
  ],
  [
    "arithmetic in a storage dtype",
    `${k}v4 (neg): bfloat16 is not a dtype arithmetic is done in`,
    body(load(0, 0), { id: 4, op: "neg", dtype: "bfloat16" as "float32", args: [0] }),
  ],
  [
    "operands of two dtypes",
    `${k}v4 (add): operand v1 is int32, expected float32`,
    body(
      load(0, 0),
      { id: 1, op: "constant", dtype: "int32", value: 1 },
      { id: 4, op: "add", dtype: "float32", args: [0, 1] },
    ),
  ],
  [
    "exp of integers",
    `${k}v4 (exp): operand is int32, expected float`,
    body(
      load(0, 0),
      { id: 1, op: "constant", dtype: "int32", value: 1 },
      { id: 4, op: "exp", dtype: "int32", args: [1] },
    ),
  ],
  [
    "a comparison that is no bool",
    `${k}v4 (less): result is float32, expected bool`,
    body(load(0, 0), { id: 4, op: "less", dtype: "float32", args: [0, 0] }),
  ],
  [
    "where of a number",
    `${k}v4 (where): operand v0 is float32, expected bool`,
    body(load(0, 0), { id: 4, op: "where", dtype: "float32", args: [0, 0, 0] }),
  ],
  [
    "rounding to integers",
    `${k}v4 (roundTo): rounds float32 to int32`,
    body(load(0, 0), { id: 4, op: "roundTo", dtype: "float32", to: "int32", args: [0] }),
  ],
  [
    "philox of signed words",
    `${k}v4 (philox): operand v0 is float32, expected int32`,
    body(load(0, 0), { id: 4, op: "philox", dtype: "uint32", args: [0, 0, 0, 0, 0] }),
  ],
  [
    "half an integer constant",
    `${k}v4 (constant): 1.5 is not an int32`,
    body(load(0, 0), { id: 4, op: "constant", dtype: "int32", value: 1.5 }),
  ],
  [
    "a reduction in an outer stage",
    `${k}v4 (reduce): stands only in an inner stage`,
    body(load(0, 0), { id: 4, op: "reduce", dtype: "float32", fn: "sum", value: 0 }),
  ],
  [
    "argMax in floats",
    `${k}v4 (reduce): result is float32, expected int32`,
    program([
      loop([inner(load(0, 0, at(0, 1, 0)), { id: 4, op: "reduce", dtype: "float32", fn: "argMax", value: 0 })], {
        inner: [1],
      }),
    ]),
  ],
  [
    "an accumulator outside a contraction",
    `${k}v4 (accumulator): stands only in the epilogue`,
    body(load(0, 0), { id: 4, op: "accumulator", dtype: "float32" }),
  ],
  ["a kernel that stores nothing", `${k}nothing is stored`, program([loop([outer(load(0, 0))])])],
  [
    "a loop without segments",
    `${k}there are no segments`,
    program([loop([outer(load(0, 0), store(1, 2, 0))], { segments: [] })]),
  ],
  [
    "segments of another size than the loop",
    `${k}segments hold 7 elements together, outer [8] has 8`,
    program([loop([outer(load(0, 0), store(1, 1, 0))], { segments: [{ size: 7, buffers: [0, 2] }] })]),
  ],
  [
    "segments with other numbers of buffers",
    "segment 1 has 1 buffers, segment 0 has 2",
    segments(
      [
        { size: 4, buffers: [0, 4] },
        { size: 4, buffers: [0] },
      ],
      load(0, 0),
      store(1, 1, 0),
    ),
  ],
  [
    "segments that are not contiguous",
    "with several segments an access is contiguous or a broadcast scalar",
    segments(
      [
        { size: 4, buffers: [0, 4] },
        { size: 4, buffers: [0, 5] },
      ],
      load(0, 0, at(1, 1)),
      store(1, 1, 0),
    ),
  ],
  [
    "segments that write one buffer",
    "one writes what the other writes of b4",
    segments(
      [
        { size: 4, buffers: [0, 4] },
        { size: 4, buffers: [0, 4] },
      ],
      load(0, 0),
      store(1, 1, 0),
    ),
  ],
  [
    "an operand of a matmul past the end",
    `${m}operand a: reaches element 8 of b0`,
    program([{ ...product, a: operand(0, 5, 2, 1) }]),
  ],
  [
    "an operand of other axes",
    `${m}operand a: 3 strides for 2 axes`,
    program([{ ...product, a: operand(0, 0, 1, 1, 1) }]),
  ],
  [
    "an operand of another dtype",
    `${m}operand a: b3 holds int32, expected float32`,
    program([{ ...product, a: operand(3, 0, 2, 1) }]),
  ],
  [
    "an epilogue without the accumulator",
    `${m}the epilogue does not use the accumulator`,
    program([{ ...product, epilogue: { body: [load(0, 0, at(0, 4, 1)), store(1, 0, 0, at(0, 4, 1))], buffers: [1] } }]),
  ],
  [
    "an epilogue that stores nothing",
    `${m}the epilogue stores nothing`,
    program([{ ...product, epilogue: { body: [{ id: 0, op: "accumulator", dtype: "float32" }], buffers: [] } }]),
  ],
  [
    "a convolution of other batch sizes",
    'kernel 0 (conv2d "c"): batch sizes differ',
    program([{ ...convolution, x: [2, 2, 2, 2] }]),
  ],
  [
    "a convolution in groups that do not divide",
    "channels do not divide into 2 groups",
    program([{ ...convolution, geometry: { ...convolution.geometry, groups: 2 } }]),
  ],
  [
    "a convolution with more windows than fit",
    "y has 2 windows on spatial axis 0, at most 1 fit",
    program([{ ...convolution, y: [1, 2, 2, 2] }]),
  ],
  [
    "a convolution of another buffer size",
    "operand a: b0 has 8 elements, [2, 2, 2, 2] needs 16",
    program([{ ...convolution, x: [2, 2, 2, 2], y: [2, 2, 1, 2] }]),
  ],
  [
    "a scatter over an axis that is not there",
    'kernel 1 (scatterAdd "s"): axis 1 is out of range for rank 1',
    program([copy(0, 2), { ...scatter, axis: 1 }]),
  ],
  [
    "a scatter with float indices",
    "operand index: b0 holds float32, expected int32 or uint32",
    program([copy(0, 2), { ...scatter, index: scatter.source }]),
  ],
  ["a scatter into what was not started", "operand target: reads b2, an output, before", program([scatter])],
  [
    "a cumSum in place",
    "one writes what the other reads of b1",
    program([{ kind: "cumSum", label: "s", outer: 1, size: 8, inner: 1, input: 1, output: 1 }]),
  ],
  [
    "an argSort into floats",
    'kernel 0 (argSort "s"): operand output: b2 holds float32, expected int32',
    program([{ kind: "argSort", label: "s", outer: 1, size: 8, inner: 1, descending: false, input: 0, output: 2 }]),
  ],
  [
    "a kind of kernel there is not",
    'kernel 0 (fft "f"): unknown kind',
    program([{ kind: "fft", label: "f" } as unknown as Kernel]),
  ],
];

export const programErrors: readonly Case[] = broken.map(([name, message, bad]) => ({
  layer: "errors",
  name: `Program with ${name}`,
  run: () => expectError(ProgramError, message, () => validateProgram(bad)),
}));
