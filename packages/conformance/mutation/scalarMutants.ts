/** Scalar operations that compute something else, or the right thing with too little precision. */
import type { BinaryOp, ComputeDType, Instruction, UnaryOp, Value } from "@thalweg/core/backend";
import { type Mutant, programMutant, type Rewrite } from "./mutant.ts";
import {
  dtypesOf,
  exchanged,
  type InstructionOf,
  instructions,
  instructionsOf,
  instructionsOn,
  kernels,
  mapBodies,
  withOperands,
} from "./rewrite.ts";

type Unary = Extract<Instruction, { op: UnaryOp }>;
type Binary = Extract<Instruction, { op: BinaryOp }>;
type Fresh = () => Value;

const isFloatOp = ({ dtype }: { readonly dtype: ComputeDType }): boolean => dtype === "float32" || dtype === "float64";
const constant = (id: Value, dtype: ComputeDType, value: number): Instruction => ({ id, op: "constant", dtype, value });

/** A unary operation of floats by other instructions. */
const unary = (op: UnaryOp, change: (instruction: Unary, fresh: Fresh) => readonly Instruction[]): Rewrite =>
  instructionsOn(op, (instruction, fresh) => {
    if (!isFloatOp(instruction)) return instruction;
    const changed = change(instruction as Unary, fresh);
    return changed.length === 1 && changed[0] === instruction ? instruction : changed;
  });

/** In float32 its result is off by this part of itself. */
const inexact = (op: UnaryOp, part: number): Rewrite =>
  unary(op, (instruction, fresh) => {
    if (instruction.dtype !== "float32") return [instruction];
    const [exact, factor] = [fresh(), fresh()];
    return [
      { ...instruction, id: exact },
      constant(factor, instruction.dtype, 1 + part),
      { id: instruction.id, op: "mul", dtype: instruction.dtype, args: [exact, factor] },
    ];
  });

/** `op` of the argument after another operation. */
const after = (
  op: UnaryOp,
  first: (id: Value, arg: Value, dtype: ComputeDType, fresh: Fresh) => readonly Instruction[],
  last: UnaryOp,
): Rewrite =>
  unary(op, (instruction, fresh) => {
    const prepared = fresh();
    return [
      ...first(prepared, instruction.args[0], instruction.dtype, fresh),
      { id: instruction.id, op: last, dtype: instruction.dtype, args: [prepared] },
    ];
  });

const plus =
  (amount: number) =>
  (id: Value, arg: Value, dtype: ComputeDType, fresh: Fresh): readonly Instruction[] => {
    const other = fresh();
    return [constant(other, dtype, amount), { id, op: "add", dtype, args: [arg, other] }];
  };

/** The value with its NaNs replaced. */
function withoutNaN(
  id: Value,
  value: Value,
  dtype: ComputeDType,
  instead: number,
  fresh: Fresh,
): readonly Instruction[] {
  const [missing, other] = [fresh(), fresh()];
  return [
    { id: missing, op: "isNaN", dtype: "bool", args: [value] },
    constant(other, dtype, instead),
    { id, op: "where", dtype, args: [missing, other, value] },
  ];
}

const comparison = (from: BinaryOp, to: BinaryOp): Rewrite =>
  instructionsOn(from, (instruction) => ({ ...(instruction as Binary), op: to }) as Instruction);

const dtypeAware =
  (
    change: (
      instruction: Instruction,
      dtypes: ReadonlyMap<Value, string>,
      fresh: Fresh,
    ) => Instruction | readonly Instruction[],
  ): Rewrite =>
  (program) => {
    let current: ReadonlyMap<Value, string> = new Map();
    return kernels((kernel, whole) => {
      current = dtypesOf(kernel);
      const [changed] = instructions((instruction, fresh) => change(instruction, current, fresh))({
        ...whole,
        kernels: [kernel],
      }).kernels;
      return changed ?? kernel;
    })(program);
  };

const casts: readonly Mutant[] = [
  programMutant(
    "casts to integers that round down",
    dtypeAware((instruction, dtypes, fresh) => {
      if (instruction.op !== "cast" || instruction.dtype !== "int32") return instruction;
      const from = dtypes.get(instruction.args[0]);
      if (from !== "float32" && from !== "float64") return instruction;
      const floor = fresh();
      return [
        { id: floor, op: "floor", dtype: from, args: instruction.args },
        { ...instruction, args: [floor] },
      ];
    }),
  ),
  programMutant(
    "casts to bool that cut fractions off",
    dtypeAware((instruction, dtypes, fresh) => {
      if (instruction.op !== "cast" || instruction.dtype !== "bool") return instruction;
      const from = dtypes.get(instruction.args[0]);
      if (from !== "float32" && from !== "float64") return instruction;
      const whole = fresh();
      return [
        { id: whole, op: "trunc", dtype: from, args: instruction.args },
        { ...instruction, args: [whole] },
      ];
    }),
  ),
  programMutant(
    "values that are not rounded to their dtype",
    kernels((kernel) => {
      const unrounded = new Map<Value, Value>();
      for (const instruction of instructionsOf(kernel)) {
        if (instruction.op === "roundTo")
          unrounded.set(instruction.id, unrounded.get(instruction.args[0]) ?? instruction.args[0]);
      }
      if (unrounded.size === 0) return kernel;
      return mapBodies(kernel, (body) =>
        body
          .filter(({ op }) => op !== "roundTo")
          .map((instruction) => withOperands(instruction, (value) => unrounded.get(value) ?? value)),
      );
    }),
  ),
  programMutant(
    "values rounded to float16 for bfloat16",
    instructionsOn("roundTo", (instruction) =>
      instruction.to === "bfloat16" ? { ...instruction, to: "float16" } : instruction,
    ),
  ),
];

const choices: readonly Mutant[] = [
  programMutant(
    "where with its branches exchanged",
    instructionsOn("where", (instruction) => ({
      ...instruction,
      args: exchanged(instruction.args, 1, 2) as unknown as readonly [Value, Value, Value],
    })),
  ),
  programMutant(
    "where that adds both branches up, the other one times 0",
    instructionsOn("where", (instruction, fresh) => {
      if (!isFloatOp(instruction)) return instruction;
      const { dtype } = instruction;
      const [condition, a, b] = instruction.args;
      const [weight, one, rest, left, right] = [fresh(), fresh(), fresh(), fresh(), fresh()];
      return [
        { id: weight, op: "cast", dtype, args: [condition] },
        constant(one, dtype, 1),
        { id: rest, op: "sub", dtype, args: [one, weight] },
        { id: left, op: "mul", dtype, args: [a, weight] },
        { id: right, op: "mul", dtype, args: [b, rest] },
        { id: instruction.id, op: "add", dtype, args: [left, right] },
      ];
    }),
  ),
  programMutant("less for lessEqual", comparison("lessEqual", "less")),
  programMutant("lessEqual for less", comparison("less", "lessEqual")),
  programMutant(
    "maximum that drops NaN",
    instructionsOn("maximum", (instruction, fresh) => {
      if (!isFloatOp(instruction)) return instruction;
      const clean = fresh();
      return [
        ...withoutNaN(clean, instruction.args[0], instruction.dtype, Number.NEGATIVE_INFINITY, fresh),
        { ...instruction, args: [clean, instruction.args[1]] },
      ];
    }),
  ),
  programMutant(
    "max that drops NaN",
    instructionsOn("reduce", (instruction, fresh) => {
      if (instruction.fn !== "max" || !isFloatOp(instruction)) return instruction;
      const clean = fresh();
      return [
        ...withoutNaN(clean, instruction.value, instruction.dtype, Number.NEGATIVE_INFINITY, fresh),
        { ...instruction, value: clean },
      ];
    }),
  ),
  programMutant(
    "relu that turns NaN into 0",
    unary("relu", (instruction, fresh) => {
      const result = fresh();
      return [{ ...instruction, id: result }, ...withoutNaN(instruction.id, result, instruction.dtype, 0, fresh)];
    }),
  ),
];

const functions: readonly Mutant[] = [
  programMutant("tanh off by 1e-4", inexact("tanh", 1e-4)),
  programMutant("exp off by 2e-5", inexact("exp", 2e-5)),
  programMutant("erf off by 1e-4", inexact("erf", 1e-4)),
  programMutant("sigmoid off by 1e-4", inexact("sigmoid", 1e-4)),
  programMutant("sqrt off by 2e-5", inexact("sqrt", 2e-5)),
  programMutant("log1p as log of 1 + x", after("log1p", plus(1), "log")),
  programMutant(
    "expm1 as exp less 1",
    unary("expm1", (instruction, fresh) => {
      const [power, one] = [fresh(), fresh()];
      return [
        { ...instruction, op: "exp", id: power },
        constant(one, instruction.dtype, 1),
        { id: instruction.id, op: "sub", dtype: instruction.dtype, args: [power, one] },
      ];
    }),
  ),
  programMutant(
    "softplus as log of 1 + exp",
    unary("softplus", (instruction, fresh) => {
      const power = fresh();
      return [
        { ...instruction, op: "exp", id: power },
        { ...instruction, op: "log1p", args: [power] },
      ];
    }),
  ),
  programMutant("round that rounds halves up", after("round", plus(0.5), "floor")),
  programMutant(
    "trunc that rounds down",
    unary("trunc", (instruction) => [{ ...instruction, op: "floor" }]),
  ),
  programMutant(
    "mod that divides by one more",
    instructionsOn("mod", (instruction, fresh) => {
      const [one, divisor] = [fresh(), fresh()];
      const { dtype } = instruction;
      return [
        constant(one, dtype, 1),
        { id: divisor, op: "add", dtype, args: [instruction.args[1], one] },
        { ...instruction, args: [instruction.args[0], divisor] },
      ];
    }),
  ),
  programMutant(
    "division by the reciprocal, rounded",
    instructionsOn("div", (instruction, fresh) => {
      if (!isFloatOp(instruction)) return instruction;
      const { dtype } = instruction;
      const [inverse, rounded] = [fresh(), fresh()];
      return [
        { id: inverse, op: "reciprocal", dtype, args: [instruction.args[1]] },
        { id: rounded, op: "roundTo", dtype, to: "bfloat16", args: [inverse] },
        { id: instruction.id, op: "mul", dtype, args: [instruction.args[0], rounded] },
      ];
    }),
  ),
  programMutant(
    "sub with its operands exchanged",
    instructionsOn("sub", (instruction) => ({ ...instruction, args: [instruction.args[1], instruction.args[0]] })),
  ),
];

const philox = (
  change: (instruction: InstructionOf<"philox">, fresh: Fresh) => readonly Instruction[] | Instruction,
): Rewrite => instructionsOn("philox", change);

const random: readonly Mutant[] = [
  programMutant(
    "philox one word late",
    philox((instruction, fresh) => {
      const [one, next] = [fresh(), fresh()];
      const [index, ...words] = instruction.args;
      return [
        constant(one, "int32", 1),
        { id: next, op: "add", dtype: "int32", args: [index, one] },
        { ...instruction, args: [next, ...words] },
      ];
    }),
  ),
  programMutant(
    "philox with its key words exchanged",
    philox((instruction) => ({
      ...instruction,
      args: exchanged(instruction.args, 1, 2) as unknown as InstructionOf<"philox">["args"],
    })),
  ),
  programMutant(
    "philox that takes the first word of the stream only",
    philox((instruction) => ({
      ...instruction,
      args: instruction.args.map((arg, i) =>
        i === 4 ? instruction.args[3] : arg,
      ) as unknown as InstructionOf<"philox">["args"],
    })),
  ),
];

/** Each uniform in place of another of its dtype. */
const uniformsExchanged: Rewrite = (program) => {
  const [first] = program.uniforms;
  const second = program.uniforms.findIndex(({ dtype }, i) => i > 0 && dtype === first?.dtype);
  if (second < 0) return program;
  return instructionsOn("uniform", (instruction) => {
    if (instruction.uniform === 0) return { ...instruction, uniform: second };
    return instruction.uniform === second ? { ...instruction, uniform: 0 } : instruction;
  })(program);
};

/** A dynamic index out of range is taken to the nearest that is in range. */
const indicesClamped = instructionsOn("load", (instruction, fresh) => {
  const { dynamic = [] } = instruction.at;
  const [only] = dynamic;
  if (!only || dynamic.length > 1) return instruction;
  const [zero, last, above, within] = [fresh(), fresh(), fresh(), fresh()];
  return [
    constant(zero, "int32", 0),
    constant(last, "int32", only.size - 1),
    { id: above, op: "maximum", dtype: "int32", args: [only.value, zero] },
    { id: within, op: "minimum", dtype: "int32", args: [above, last] },
    { ...instruction, at: { ...instruction.at, dynamic: [{ ...only, value: within }] } },
  ];
});

const numbers: readonly Mutant[] = [
  programMutant("two uniforms exchanged", uniformsExchanged),
  programMutant("dynamic indices held within their axis", indicesClamped),
];

export const scalarMutants: readonly Mutant[] = [...casts, ...choices, ...functions, ...random, ...numbers];
