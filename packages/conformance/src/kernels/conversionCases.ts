/** Loads, stores and conversions: every dtype to every other, rounding to nearest even, and the values that are not arithmetic. */
import { type ComputeDType, computeDType, type DType, dtypes, isFloat, philoxWord } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { type Allowance, checkProgram } from "./checkProgram.ts";
import { at, Draft, within } from "./programs.ts";
import { elementwise } from "./scalarCases.ts";
import { spread } from "./values.ts";

const storage = Object.keys(dtypes) as DType[];
const [infinity, nan] = [Number.POSITIVE_INFINITY, Number.NaN];

/** Numbers that conversions could go wrong on. */
const floatValues: readonly number[] = [
  ...[0, -0, 0.25, -0.25, 0.5, -0.5, 0.75, -0.75, 1, -1, 1.5, -1.5, 2.5, 255, 256, 257, 65504, 65519, 65520, -65536],
  ...[2 ** 24 + 2, 2147483520, 2147483648, -2147483648, -2147483904, 4294967040, 4294967296, 1e10, -1e10, 1e30, -1e30],
  ...[nan, infinity, -infinity, ...spread(40, 1000), ...spread(20, 1, 9)],
];
const doubleValues: readonly number[] = [
  ...floatValues,
  ...[
    0.1,
    1 / 3,
    2147483647,
    2147483647.5,
    -2147483648.5,
    4294967295,
    4294967295.5,
    1e300,
    -1e300,
    3.4028235677973366e38,
  ],
  ...[1 + 2 ** -24, 1 + 3 * 2 ** -24, 1 + 2 ** -24 + 2 ** -50, 16777217, 16777219, 3.4028235e38],
];
const integerValues: readonly number[] = [
  ...[0, 1, 2, 127, 128, 129, 255, 256, 257, 258, 511, 513, 2047, 2048, 2049, 2051, 4097, 65503, 65504, 65519, 65520],
  ...[65535, 65536, 16777215, 16777216, 16777217, 16777219, 33554433, 123456789, 2147483647],
];

function valuesOf(dtype: DType): readonly number[] {
  if (dtype === "bool") return [0, 1, 1, 0, 1];
  if (dtype === "int32") return [...integerValues, ...integerValues.map((x) => -x), -2147483648];
  if (dtype === "uint32") return [...integerValues, 2147483648, 2147483649, 3000000000, 4294967040, 4294967295];
  return dtype === "float64" ? doubleValues : floatValues;
}

/** Converts from the arithmetic of one buffer to that of another, and stores. */
const castCases: Case[] = storage.flatMap((from) =>
  storage.map(
    (to): Case => ({
      layer: "kernels",
      name: `conversion: ${from} to ${to}`,
      run: async ({ backend }) => {
        const { draft } = elementwise(from, [valuesOf(from)], to, (body, x) =>
          body.cast(computeDType(to), x as NonNullable<typeof x>),
        );
        await checkProgram(backend, draft, { signedZeros: isFloat(from) && isFloat(to) });
      },
    }),
  ),
);

type Rows = readonly (readonly [number, number])[];

/** What storage makes of numbers it has not: the nearest it has, the even one of two that are equally near. */
const rounded: Readonly<Record<"float32" | "bfloat16" | "float16", Rows>> = {
  float32: [
    [1 + 2 ** -24, 1],
    [1 + 3 * 2 ** -24, 1 + 2 ** -22],
    [1 + 2 ** -24 + 2 ** -40, 1 + 2 ** -23],
    [-16777217, -16777216],
    [16777219, 16777220],
    [1e39, infinity],
    [-1e39, -infinity],
  ],
  bfloat16: [
    [1 + 2 ** -8, 1],
    [1 + 3 * 2 ** -8, 1 + 2 ** -6],
    [1 + 2 ** -8 + 2 ** -20, 1 + 2 ** -7],
    [-(1 + 2 ** -8), -1],
    [257, 256],
    [259, 260],
    [0.1, 0.10009765625],
    [3.3961775292304601e38, infinity],
    [3.39e38, 3.3895313892515355e38],
    [-infinity, -infinity],
    [nan, nan],
    [-0, -0],
  ],
  float16: [
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
    [2049, 2048],
    [2051, 2052],
    [65519, 65504],
    [65520, infinity],
    [-65520, -infinity],
    [0.1, 0.0999755859375],
    [2 ** -24, 2 ** -24],
    [2 ** -25, 0],
    [3 * 2 ** -25, 2 ** -23],
    [1.5 * 2 ** -25, 2 ** -24],
    [-(2 ** -26), -0],
    [2 ** -14 - 2 ** -26, 2 ** -14],
    [1023.4 * 2 ** -24, 1023 * 2 ** -24],
    [nan, nan],
    [infinity, infinity],
  ],
};

const roundingCases: Case[] = (Object.keys(rounded) as (keyof typeof rounded)[]).flatMap((to): Case[] => {
  const rows = rounded[to];
  const [given, expected] = [rows.map(([x]) => x), rows.map(([, y]) => y)];
  return [
    {
      layer: "kernels",
      name: `conversion: storing rounds to the nearest ${to}, ties to even`,
      run: async ({ backend }) => {
        // Constants need no other storage, and are not rounded before.
        const draft = new Draft();
        const outputs = given.map((x) => {
          const output = draft.output(to, 1);
          draft.map([1], (body) => body.store(output, [0], body.constant("float32", x)));
          return output;
        });
        const known = outputs.map((output, i) => [output, [expected[i] as number]] as const);
        await checkProgram(backend, draft, { known, signedZeros: true });
      },
    },
    ...(["float32", "float64"] as const).map(
      (dtype): Case => ({
        layer: "kernels",
        name: `conversion: roundTo ${to} of ${dtype}`,
        run: async ({ backend }) => {
          const rounds = given.map((x) => (dtype === "float32" ? Math.fround(x) : x));
          const { draft, output } = elementwise(dtype, [rounds], dtype, (body, x) =>
            body.roundTo(to, x as NonNullable<typeof x>),
          );
          const known = dtype === "float64" ? ([[output, expected]] as const) : [];
          await checkProgram(backend, draft, { known, signedZeros: true });
        },
      }),
    ),
  ];
});

const narrowCases: Case[] = (["bfloat16", "float16"] as const).map(
  (dtype): Case => ({
    layer: "kernels",
    name: `conversion: every bit pattern of ${dtype}`,
    run: async ({ backend }) => {
      const draft = new Draft();
      const size = 65536;
      const x = draft.patterns(
        dtype,
        Uint16Array.from({ length: size }, (_, i) => i),
      );
      const [y, z] = [draft.output("float32", size), draft.output(dtype, size)];
      draft.map([size], (body) => {
        const value = body.load(x, [1]);
        // bfloat16 has the denormal numbers of float32, which a backend may not know.
        const normal = body.binary("less", body.constant("float32", 2 ** -126), body.unary("abs", value));
        const shown = body.where(normal, value, body.constant("float32", 1));
        body.store(y, [1], shown);
        body.store(z, [1], shown);
      });
      await checkProgram(backend, draft);
    },
  }),
);

const exactUniforms: readonly (readonly [ComputeDType, readonly number[]])[] = [
  ["float32", [0.5, -3, 2 ** 100, 0, infinity]],
  ["float64", [0.1, 1e300, -1 / 3]],
  ["int32", [-2147483648, 2147483647, -1, 0]],
  ["uint32", [4294967295, 2147483648, 0]],
  ["bool", [1, 0]],
];

const uniformCases: Case[] = exactUniforms.map(
  ([dtype, values]): Case => ({
    layer: "kernels",
    name: `conversion: uniforms of ${dtype}`,
    run: async ({ backend }) => {
      const draft = new Draft();
      // Others before and after, so that a wrong place in the list shows.
      draft.uniform("int32", 7);
      const uniforms = values.map((value) => draft.uniform(dtype, value));
      draft.uniform("int32", 8);
      const outputs = values.map(() => draft.output(dtype, 3));
      draft.map([3], (body) => {
        for (const [i, output] of outputs.entries()) body.store(output, [1], body.uniform(uniforms[i] as number));
      });
      await checkProgram(backend, draft, { known: outputs.map((o, i) => [o, new Array(3).fill(values[i])] as const) });
    },
  }),
);

const floatAllowance: Allowance = { ulp: 1 };

const valueCases: Case[] = [
  {
    layer: "kernels",
    name: "conversion: a uniform that float32 has not",
    run: async ({ backend }) => {
      const draft = new Draft();
      const uniform = draft.uniform("float32", 0.1);
      const output = draft.output("float32", 1);
      draft.map([], (body) => body.store(output, [], body.uniform(uniform)));
      await checkProgram(backend, draft, { known: [[output, [Math.fround(0.1)]]], allow: floatAllowance });
    },
  },
  {
    layer: "kernels",
    name: "conversion: comparisons of float32 see no more than float32",
    run: async ({ backend }) => {
      const draft = new Draft();
      const [x, y] = [draft.input("float32", [1, 1, 3]), draft.input("float32", [2 ** -30, -(2 ** -30), 2 ** -20])];
      const ops = ["equal", "notEqual", "less", "lessEqual"] as const;
      const outputs = ops.map(() => draft.output("bool", 3));
      draft.map([3], (body) => {
        const a = body.load(x, [1]);
        const sum = body.binary("add", a, body.load(y, [1]));
        for (const [i, op] of ops.entries()) body.store(outputs[i] as number, [1], body.binary(op, a, sum));
      });
      const results = [
        [1, 1, 0],
        [0, 0, 1],
        [0, 0, 1],
        [1, 1, 1],
      ];
      await checkProgram(backend, draft, { known: outputs.map((o, i) => [o, results[i] as number[]] as const) });
    },
  },
  ...storage.map(
    (dtype): Case => ({
      layer: "kernels",
      name: `conversion: where of ${dtype} ignores what it does not choose`,
      run: async ({ backend }) => {
        const draft = new Draft();
        const special = isFloat(dtype) ? [nan, 2, infinity, -0, nan, 5] : valuesOf(dtype).slice(0, 5);
        const other = isFloat(dtype) ? [1, nan, 3, nan, -infinity, nan] : [...special].reverse();
        const chosen = special.map((_, i) => i % 2);
        const [c, a, b] = [draft.input("int32", chosen), draft.input(dtype, special), draft.input(dtype, other)];
        const output = draft.output(dtype, special.length);
        draft.map([special.length], (body) => {
          const condition = body.cast("bool", body.load(c, [1]));
          body.store(output, [1], body.where(condition, body.load(a, [1]), body.load(b, [1])));
        });
        const known = special.map((x, i) => (chosen[i] === 1 ? x : (other[i] as number)));
        await checkProgram(backend, draft, { known: [[output, known]], signedZeros: true });
      },
    }),
  ),
  {
    layer: "kernels",
    name: "conversion: index and inside",
    run: async ({ backend }) => {
      const draft = new Draft();
      const [i, inside] = [draft.output("int32", 15), draft.output("bool", 15)];
      draft.map([3, 5], (body) => {
        body.store(i, [5, 1], body.index(at(7, -2, 10)));
        const both = body.inside(within([1, 1], 2, 6), within(at(0, 0, -1), -3, 0));
        body.store(inside, [5, 1], both);
      });
      await checkProgram(backend, draft, {
        known: [
          [i, [7, 17, 27, 37, 47, 5, 15, 25, 35, 45, 3, 13, 23, 33, 43]],
          [inside, [0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0]],
        ],
      });
    },
  },
  {
    layer: "kernels",
    name: "conversion: an index as long as int32",
    run: async ({ backend }) => {
      const draft = new Draft();
      const output = draft.output("int32", 4);
      draft.map([4], (body) => body.store(output, [1], body.index(at(2147483644, 1))));
      await checkProgram(backend, draft, { known: [[output, [2147483644, 2147483645, 2147483646, 2147483647]]] });
    },
  },
];

/** Words published with the algorithm (Random123's known answers) for key and counter 0. */
const published = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];

const randomCases: Case[] = [
  {
    layer: "kernels",
    name: "philox: the published first block, then what follows it",
    run: async ({ backend }) => {
      const draft = new Draft();
      const output = draft.output("uint32", 1031);
      const first = draft.output("uint32", 4);
      for (const [buffer, size] of [
        [output, 1031],
        [first, 4],
      ] as const) {
        draft.map([size], (body) => {
          const zero = body.constant("uint32", 0);
          body.store(buffer, [1], body.philox(body.index([1]), zero, zero, zero, zero));
        });
      }
      await checkProgram(backend, draft, { known: [[first, published]] });
    },
  },
  {
    layer: "kernels",
    name: "philox: any word of any stream, in any order",
    run: async ({ backend }) => {
      const draft = new Draft();
      const words = [0, 1, 0xffffffff, 0x80000000, 0x9e3779b9, 0xdeadbeef, 12345];
      const indices = [0, 3, 2, 1, 4, 7, 1000003, 2147483647, 2147483644, 65535, 6];
      const rows = indices.flatMap((index, i) =>
        words.map((word, j) => [index, word, words[(i + j) % 7], words[(i + 3) % 7], words[(2 * j) % 7]] as number[]),
      );
      const column = (k: number) => rows.map((row) => row[k] as number);
      const index = draft.input("int32", column(0));
      const keys = [1, 2, 3, 4].map((k) => draft.input("uint32", column(k)));
      const output = draft.output("uint32", rows.length);
      draft.map([rows.length], (body) => {
        const [a, b, c, d] = keys.map((key) => body.load(key, [1])) as [never, never, never, never];
        body.store(output, [1], body.philox(body.load(index, [1]), a, b, c, d));
      });
      const known = rows.map((row) => philoxWord(...(row as [number, number, number, number, number])));
      await checkProgram(backend, draft, { known: [[output, known]] });
    },
  },
  {
    layer: "kernels",
    name: "philox: keys and streams that are uniforms, turned to numbers below 1",
    run: async ({ backend }) => {
      const draft = new Draft();
      const uniforms = [7, 0xfffffffe, 3, 0x80000001].map((word) => draft.uniform("uint32", word));
      const output = draft.output("float32", 300);
      draft.map([3, 100], (body) => {
        const [a, b, c, d] = uniforms.map((uniform) => body.uniform(uniform)) as [never, never, never, never];
        const word = body.philox(body.index(at(2, 100, 1)), a, b, c, d);
        const bits = body.binary("shiftRight", word, body.constant("uint32", 8));
        const fraction = body.binary("mul", body.cast("float32", bits), body.constant("float32", 2 ** -24));
        body.store(output, [100, 1], fraction);
      });
      await checkProgram(backend, draft);
    },
  },
];

export const conversionCases: readonly Case[] = [
  ...castCases,
  ...roundingCases,
  ...narrowCases,
  ...uniformCases,
  ...valueCases,
  ...randomCases,
];
