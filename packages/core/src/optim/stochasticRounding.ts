/**
 * Stochastic rounding to bfloat16: up or down at random, so that the mean over many roundings is the number itself and
 * changes too small for bfloat16 are not lost for good. Gupta et al. 2015, https://arxiv.org/abs/1502.02551.
 */
import { makeNode } from "../graph/node.ts";
import { constant, reshapeTo, wrap } from "../tensor/convert.ts";
import { abs, add, bitwiseAnd, cast, div, less, mul, shiftRight, sub, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ScalarMaker } from "./rule.ts";

/**
 * A key no Generator can have, whose seeds end at 2^53: rounding takes no numbers from anybody's stream, and depends on
 * nothing but the step, so that resumed training rounds as it would have without the break.
 */
const key = 0xffffffff;

/** Whole numbers up to this are exact in float32, and two of them number more steps than anybody trains. */
const half = 2 ** 16;

/**
 * A source of 16 random bits per element of tensors of one shape, as uint32 numbers below 2^16. Each call gives bits of
 * its own; equal positions of different tensors get the same ones, so that one kernel can update all parameters of a
 * group. `purpose` tells apart what draws at the same step.
 */
export function roundingBits<Options extends object>(
  { scalar }: Pick<ScalarMaker<Options>, "scalar">,
  purpose: number,
): (like: Tensor) => Tensor {
  let drawn = 0;
  let words: Tensor | undefined;
  return (like) => {
    const lower = drawn % 2 === 0;
    if (lower || !words) {
      const which = constant(purpose * half + drawn / 2, "uint32").node;
      const low = scalar("rounding.low", ({ step }) => step % half);
      const high = scalar("rounding.high", ({ step }) => Math.floor(step / half));
      const stream = [low, high].map((part) => cast(part, "uint32").node);
      const inputs = [which, constant(key, "uint32").node, ...stream];
      const node = makeNode("random", inputs, {}, [like.shape.reduce((n, size) => n * size, 1)], "uint32");
      words = reshapeTo(wrap(node), like.shape);
    }
    drawn++;
    return lower ? bitwiseAnd(words, constant(half - 1, "uint32")) : shiftRight(words, constant(16, "uint32"));
  };
}

/**
 * Between half of a bfloat16's last place and one and a half for every significand in [1, 2], also below a power of two,
 * where places are half as wide: adding this part of a number gives one that rounds to its neighbour.
 */
const toNeighbour = 0.7 / 128;

/**
 * `x` (float32 or float64) as one of the two bfloat16 numbers around it, in the dtype of x; the further one with the
 * probability that makes the mean x. `bits`: below 2^16, as many as float32 has beyond bfloat16, so that probabilities are
 * exact. Subnormal and non-finite numbers round to the nearest.
 */
export function roundStochastically(x: Tensor, bits: Tensor): Tensor {
  const rounded = (value: Tensor): Tensor => cast(cast(value, "bfloat16"), x.dtype);
  const nearest = rounded(x);
  const error = sub(x, nearest);
  const away = less(mul(error, nearest), 0);
  const other = rounded(mul(nearest, where(away, 1 - toNeighbour, 1 + toNeighbour)));
  const probability = abs(div(error, sub(other, nearest)));
  const uniform = mul(add(cast(bits, x.dtype), 0.5), 1 / half);
  return where(less(uniform, probability), other, nearest);
}
