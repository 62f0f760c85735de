/** The scalar language, operation by operation: every dtype, ordinary numbers and those at the edges. */
import {
  type BinaryOp,
  binaryOps,
  type ComputeDType,
  comparisonOps,
  type DType,
  type UnaryOp,
  unaryOps,
} from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { tolerances } from "../tolerances.ts";
import { type Allowance, checkProgram, type Expectation } from "./checkProgram.ts";
import { knownBinary, knownUnary } from "./knownResults.ts";
import { type Body, Draft, type Scalar } from "./programs.ts";
import { binaryArguments, unaryArguments } from "./scalarValues.ts";

const integerUnary: ReadonlySet<UnaryOp> = new Set([
  "neg",
  "abs",
  "sign",
  "relu",
  "floor",
  "ceil",
  "round",
  "trunc",
  "isNaN",
  "not",
]);
const anyBinary: ReadonlySet<BinaryOp> = new Set(["add", "mul", "maximum", "minimum", ...comparisonOps]);
const bitwise: ReadonlySet<BinaryOp> = new Set(["and", "or", "xor"]);
const integerOnly: ReadonlySet<BinaryOp> = new Set(["shiftLeft", "shiftRight", "mulHigh"]);

const floats: readonly ComputeDType[] = ["float32", "float64"];
const integers: readonly ComputeDType[] = ["int32", "uint32"];

function dtypesOfUnary(op: UnaryOp): readonly ComputeDType[] {
  if (op === "not") return [...integers, "bool"];
  return integerUnary.has(op) ? [...floats, ...integers] : floats;
}

function dtypesOfBinary(op: BinaryOp): readonly ComputeDType[] {
  if (integerOnly.has(op)) return integers;
  if (bitwise.has(op)) return [...integers, "bool"];
  return anyBinary.has(op) ? [...floats, ...integers, "bool"] : [...floats, ...integers];
}

export function allowanceOf(op: UnaryOp | BinaryOp): Allowance {
  const row = tolerances.get(op);
  if (!row) throw new Error(`there is no tolerance for ${op}`);
  return { ulp: row.output.ulp(1), scale: row.output.scale === "one" ? 1 : 0 };
}

/** Operations whose zeros have the sign that IEEE 754 says. */
const signsZeros: ReadonlySet<string> = new Set(["neg", "abs", "sqrt", "add", "sub", "mul", "div"]);

/** Applies `compute` to every element of one or two inputs. */
export function elementwise(
  storage: DType,
  inputs: readonly (readonly number[])[],
  gives: DType,
  compute: (body: Body, ...x: Scalar[]) => Scalar,
): { draft: Draft; output: number } {
  const draft = new Draft();
  const size = (inputs[0] as readonly number[]).length;
  const buffers = inputs.map((values) => draft.input(storage, values));
  const output = draft.output(gives, size);
  draft.map([size], (body) =>
    body.store(output, [1], compute(body, ...buffers.map((buffer) => body.load(buffer, [1])))),
  );
  return { draft, output };
}

const unaryDraft = (op: UnaryOp, storage: DType, gives: DType, x: readonly number[]) =>
  elementwise(storage, [x], gives, (body, a) => body.unary(op, a as Scalar));

const binaryDraft = (
  op: BinaryOp,
  storage: DType,
  gives: DType,
  pairs: readonly (readonly [number, number, ...number[]])[],
) =>
  elementwise(storage, [pairs.map(([a]) => a), pairs.map(([, b]) => b)], gives, (body, a, b) =>
    body.binary(op, a as Scalar, b as Scalar),
  );

const givesOf = (op: UnaryOp | BinaryOp, dtype: DType): DType =>
  op === "isNaN" || comparisonOps.has(op as BinaryOp) ? "bool" : dtype;

/** Kinds of arguments: integers have their edges among the ordinary ones. */
const kindsOf = (dtype: ComputeDType): readonly boolean[] => (floats.includes(dtype) ? [false, true] : [false]);
const titled = (op: string, dtype: DType, special: boolean) =>
  `scalar: ${op} of ${dtype}${special ? ", special values" : ""}`;

const expectationOf = (op: UnaryOp | BinaryOp, dtype: ComputeDType): Expectation => ({
  allow: allowanceOf(op),
  signedZeros: signsZeros.has(op) && floats.includes(dtype),
});

const unaryCases: Case[] = unaryOps.flatMap((op) =>
  dtypesOfUnary(op).flatMap((dtype) =>
    kindsOf(dtype).map(
      (special): Case => ({
        layer: "kernels",
        name: titled(op, dtype, special),
        run: async ({ backend }) => {
          const { draft } = unaryDraft(op, dtype, givesOf(op, dtype), unaryArguments(op, dtype, special));
          await checkProgram(backend, draft, expectationOf(op, dtype));
        },
      }),
    ),
  ),
);

const binaryCases: Case[] = binaryOps.flatMap((op) =>
  dtypesOfBinary(op).flatMap((dtype) =>
    kindsOf(dtype).map(
      (special): Case => ({
        layer: "kernels",
        name: titled(op, dtype, special),
        run: async ({ backend }) => {
          const { draft } = binaryDraft(op, dtype, givesOf(op, dtype), binaryArguments(op, dtype, special));
          await checkProgram(backend, draft, expectationOf(op, dtype));
        },
      }),
    ),
  ),
);

const knownCases: Case[] = [
  ...knownUnary.map(([op, dtype, rows]): Case => {
    const { draft, output } = unaryDraft(
      op,
      dtype,
      givesOf(op, dtype),
      rows.map(([x]) => x),
    );
    const known = [[output, rows.map(([, result]) => result)]] as const;
    return {
      layer: "kernels",
      name: `scalar: known results of ${op} of ${dtype}`,
      run: ({ backend }) => checkProgram(backend, draft, { known, allow: allowanceOf(op) }),
    };
  }),
  ...knownBinary.map(([op, dtype, rows]): Case => {
    const { draft, output } = binaryDraft(op, dtype, givesOf(op, dtype), rows);
    const known = [[output, rows.map(([, , result]) => result)]] as const;
    return {
      layer: "kernels",
      name: `scalar: known results of ${op} of ${dtype}`,
      run: ({ backend }) => checkProgram(backend, draft, { known, allow: allowanceOf(op) }),
    };
  }),
];

/** One Program for all operations of a kind, on numbers kept in 16 bits. */
const storageCases: Case[] = (["bfloat16", "float16"] as const).flatMap((dtype): Case[] => [
  {
    layer: "kernels",
    name: `scalar: every operation of one operand, kept as ${dtype}`,
    run: async ({ backend }) => {
      for (const op of unaryOps) {
        if (op === "not") continue;
        const { draft } = unaryDraft(op, dtype, givesOf(op, dtype), unaryArguments(op, "float32", false));
        await checkProgram(backend, draft, { allow: allowanceOf(op) });
      }
    },
  },
  {
    layer: "kernels",
    name: `scalar: every operation of two operands, kept as ${dtype}`,
    run: async ({ backend }) => {
      for (const op of binaryOps) {
        if (integerOnly.has(op) || bitwise.has(op)) continue;
        const { draft } = binaryDraft(op, dtype, givesOf(op, dtype), binaryArguments(op, "float32", false));
        await checkProgram(backend, draft, { allow: allowanceOf(op) });
      }
    },
  },
]);

/** Numbers too small for the usual form, by operations that are exact on them. */
const denormalCases: Case[] = floats.map(
  (dtype): Case => ({
    layer: "kernels",
    name: `scalar: denormal numbers of ${dtype}`,
    run: async ({ backend }) => {
      const least = dtype === "float32" ? 2 ** -149 : 2 ** -1074;
      const values = [1, -1, 2, 3, -5, 1000, 2 ** 22, -(2 ** 23) + 1].map((x) => x * least);
      const others = [...values].reverse();
      for (const op of ["neg", "abs", "sign", "relu", "isNaN"] as const) {
        await checkProgram(backend, unaryDraft(op, dtype, givesOf(op, dtype), values).draft);
      }
      const pairs = values.map((x, i) => [x, others[i] as number] as const);
      for (const op of ["add", "sub", "maximum", "minimum", "less", "lessEqual", "equal"] as const) {
        await checkProgram(backend, binaryDraft(op, dtype, givesOf(op, dtype), pairs).draft);
      }
      const scaled = pairs.map(([x], i) => [x, 2 ** (i % 3)] as const);
      await checkProgram(backend, binaryDraft("mul", dtype, dtype, scaled).draft);
    },
  }),
);

const constants = [0, -0, 1, -1, 0.5, 2, 3, -2, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** An operand that is known when the Program is compiled, on either side: what a backend may simplify. */
const constantCases: Case[] = binaryOps
  .filter((op) => dtypesOfBinary(op).includes("float32"))
  .flatMap((op) =>
    (["float32", "int32"] as const).map(
      (dtype): Case => ({
        layer: "kernels",
        name: `scalar: ${op} of ${dtype} and a constant`,
        run: async ({ backend }) => {
          const floating = dtype === "float32";
          const values = floating
            ? [...constants, 4, -4, 0.25, 7.5, -7.5]
            : [0, 1, -1, 2, -2, 7, -7, 2147483647, -2147483648];
          const gives = givesOf(op, dtype);
          const draft = new Draft();
          const x = draft.input(dtype, values);
          const given = floating ? constants : [0, 1, -1, 2, -2, 3, 8, -2147483648];
          const outputs = given.map(
            () => [draft.output(gives, values.length), draft.output(gives, values.length)] as const,
          );
          draft.map([values.length], (body) => {
            const value = body.load(x, [1]);
            for (const [i, c] of given.entries()) {
              const [left, right] = outputs[i] as readonly [number, number];
              const constant = body.constant(dtype, c);
              body.store(left, [1], body.binary(op, constant, value));
              body.store(right, [1], body.binary(op, value, constant));
            }
          });
          await checkProgram(backend, draft, expectationOf(op, dtype));
        },
      }),
    ),
  );

export const scalarCases: readonly Case[] = [
  ...constantCases,
  ...unaryCases,
  ...binaryCases,
  ...knownCases,
  ...storageCases,
  ...denormalCases,
];
