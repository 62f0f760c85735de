/**
 * Expected random numbers, as numbers. They come from an implementation of Philox 4x32-10 and of the recipe in core's
 * random.ts other than core's, itself checked against the known answers of Random123
 * (https://github.com/DEShawResearch/random123).
 */
import {
  bernoulli,
  Generator,
  manualSeed,
  ones,
  permutation,
  rand,
  randint,
  randn,
  type Tensor,
  tensor,
} from "@thalweg/core";
import type { DType } from "@thalweg/core/backend";
import { dropout } from "@thalweg/nn";

export interface ExactDraw {
  readonly name: string;
  readonly dtype: DType;
  readonly draw: () => Tensor;
  readonly expected: readonly number[];
}

const generator = (stream: number): { generator: Generator } => ({ generator: new Generator(42, stream) });

const words = (name: string, seed: number, stream: number, expected: readonly number[]): ExactDraw => ({
  name: `words ${name}`,
  dtype: "uint32",
  draw: () => new Generator(seed, stream).words(expected.length),
  expected,
});

/** Multiples of a unit, as exact as the numbers themselves. */
const multiples = (unit: number, counts: readonly number[]): number[] => counts.map((count) => count * unit);

/** 4/3, the scale of what dropout with p = 1/4 keeps, in float32. */
const kept = 1.3333333730697632;

export const exactDraws: readonly ExactDraw[] = [
  words("of key 0, counter 0 as Random123's", 0, 0, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
  words("of a small seed and stream", 7, 1, [0x7ebaed90, 0x2bf6d9af, 0x4fac3b2b, 0x39acec6c, 0xe32925ef, 0xd98f06c0]),
  words(
    "of a seed in the high word alone",
    9 * 2 ** 32,
    0,
    [0x23d6ab6e, 0x81f01a4f, 0x376d0455, 0x3a1f4790, 0xacc84c7b, 0x94bcc1bb],
  ),
  words(
    "of a stream in the high word alone",
    0,
    9 * 2 ** 32,
    [0x0c08671a, 0x8fb361aa, 0xabed369f, 0xe361e1ae, 0xd91dfede, 0xcf9020de],
  ),
  words(
    "of the largest seed and a far stream",
    2 ** 53 - 1,
    2 ** 40 + 3 * 2 ** 32 + 5,
    [0x1b354a24, 0x010fda8c, 0xce256aca, 0xf044add9, 0xf8a979ea, 0xc86dffcc],
  ),
  {
    name: "uniform float32",
    dtype: "float32",
    draw: () => rand([2, 3], generator(0)),
    expected: multiples(2 ** -24, [10283760, 7861577, 1228624, 5718707, 16571169, 5487212]),
  },
  {
    name: "uniform float64",
    dtype: "float64",
    draw: () => rand([5], { dtype: "float64", ...generator(1) }),
    expected: [0.01005884998654838, 0.12624985058334415, 0.23206616361207333, 0.7116127328037295, 0.12889964225003814],
  },
  {
    name: "uniform bfloat16",
    dtype: "bfloat16",
    draw: () => rand([8], { dtype: "bfloat16", ...generator(2) }),
    expected: multiples(2 ** -8, [101, 133, 107, 177, 143, 226, 195, 170]),
  },
  {
    name: "uniform float16",
    dtype: "float16",
    draw: () => rand([8], { dtype: "float16", ...generator(3) }),
    expected: multiples(2 ** -11, [82, 912, 1480, 1225, 1069, 236, 1357, 509]),
  },
  {
    name: "randint of a range through 0",
    dtype: "int32",
    draw: () => randint(-3, 4, [3, 4], generator(6)),
    expected: [2, 1, 3, 2, 3, 0, 3, 1, 3, -3, -3, 2],
  },
  {
    name: "randint of all negative integers",
    dtype: "int32",
    draw: () => randint(-(2 ** 31), 0, [6], generator(7)),
    expected: [-1275644010, -223737754, -1237359334, -1430664087, -219220832, -1341673269],
  },
  {
    name: "randint of the widest range through 0",
    dtype: "int32",
    draw: () => randint(-(2 ** 30), 2 ** 30, [6], generator(8)),
    expected: [40586630, -910018148, 454567688, -124685199, 586191684, -935249426],
  },
  {
    name: "randint as floats",
    dtype: "float32",
    draw: () => randint(0, 1000, [8], { dtype: "float32", ...generator(9) }),
    expected: [286, 649, 700, 912, 668, 767, 100, 258],
  },
  {
    name: "bernoulli of one probability",
    dtype: "float32",
    draw: () => bernoulli(0.3, { shape: [24], ...generator(10) }),
    expected: [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1],
  },
  {
    name: "bernoulli of a probability per element",
    dtype: "bool",
    draw: () =>
      bernoulli(tensor([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1]), { dtype: "bool", ...generator(11) }),
    expected: [0, 0, 0, 0, 0, 1, 0, 1, 1],
  },
  {
    name: "permutation of 12",
    dtype: "int32",
    draw: () => permutation(12, generator(12)),
    expected: [9, 6, 5, 1, 10, 11, 4, 7, 3, 0, 2, 8],
  },
  {
    name: "permutation as floats",
    dtype: "float32",
    draw: () => permutation(5, { dtype: "float32", ...generator(13) }),
    expected: [1, 0, 4, 2, 3],
  },
  {
    name: "dropout",
    dtype: "float32",
    draw() {
      manualSeed(42);
      return dropout(0.25)(ones([4, 4]));
    },
    expected: [1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1].map((keep) => keep * kept),
  },
];

/** Normal numbers, to within what rounding may do to them. */
export const normalDraws = {
  float32: {
    draw: () => randn([2, 3], generator(4)),
    expected: [
      -0.5828255304365433, -1.3293423693659079, 0.01248397498781327, 0.4128584947397182, 0.8365786372015596,
      -0.042082248211083334,
    ],
  },
  float64: {
    draw: () => randn([6], { dtype: "float64", ...generator(5) }),
    expected: [
      -0.6440414204396984, -0.9861641928401602, 0.26227743212328114, 1.9926402813275044, 1.260440830851391,
      -0.583459991882603,
    ],
  },
} as const;
