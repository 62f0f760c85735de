/**
 * Numbers in 8 bits: blocks of 256 that share a scale, and codes that are dense near zero. Dettmers et al. 2021, "8-bit
 * optimizers via block-wise quantization", https://arxiv.org/abs/2110.02861 (sections 2.1 and 2.2).
 *
 * A code stands for a part of the block's largest magnitude. There are seven decades, from 10^-7…10^-6 to 0.1…1, each cut
 * into twice as many equal bins as the one below; a code is the middle of a bin, and one further code each stands for 0
 * and 1. Where there are signs, decade i has 2^i bins on either side, else 2^(i + 1). The numbers are those of the paper's
 * code (bitsandbytes, create_dynamic_map); in which order they are numbered is ours, so that codes are computed and need no table:
 * code = bins of the decade + position in it, bit 7 being the sign.
 */
import { computeDType, type DType } from "../graph/dtype.ts";
import { type Shape, sizeOf } from "../graph/shape.ts";
import { broadcastTo, constant, reshapeTo } from "../tensor/convert.ts";
import {
  abs,
  add,
  bitwiseAnd,
  cast,
  div,
  equal,
  floor,
  greater,
  greaterEqual,
  less,
  maximum,
  minimum,
  mul,
  neg,
  shiftLeft,
  shiftRight,
  where,
} from "../tensor/elementwise.ts";
import { reduceNode } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { iotaAlong, padAxes, sliceAxes } from "../tensor/views.ts";

/** Elements that share a scale. */
export const blockSize = 256;
const codesPerWord = 4;
const wordsPerBlock = blockSize / codesPerWord;

/** `signed` for what may have either sign, `nonNegative` for what has none: second moments. */
export type MapKind = "signed" | "nonNegative";

interface Decade {
  /** Bins, and the first bin's code. */
  readonly bins: number;
  /** code · slope + offset is the middle of the code's bin. */
  readonly slope: number;
  readonly offset: number;
  /** Numbers from here on belong here rather than to the decade below. */
  readonly from: number;
}

/** The decades of a map, smallest first, and from where on a number is 1. */
function makeMap(firstBins: number): { readonly decades: readonly Decade[]; readonly one: number } {
  const decades: Decade[] = [];
  let last = 0;
  for (let i = 0; i < 7; i++) {
    const bins = firstBins * 2 ** i;
    const top = 10 ** (i - 6);
    const slope = (top * 0.9) / bins;
    const offset = top * (0.1 - 0.9 + 0.45 / bins);
    const first = bins * slope + offset;
    decades.push({ bins, slope, offset, from: (last + first) / 2 });
    last = (2 * bins - 1) * slope + offset;
  }
  return { decades, one: (last + 1) / 2 };
}

const maps = { signed: makeMap(1), nonNegative: makeMap(2) } as const;
/** The code of 1: there is no negative zero, and no decade starts at 1 where it has two bins. */
const oneCode = { signed: 128, nonNegative: 1 } as const;

/** One number per decade, chosen by the first that `isIn` holds for, from the largest down. */
function byDecade(kind: MapKind, isIn: (decade: Decade) => Tensor, value: (decade: Decade) => number): Tensor | number {
  const [smallest, ...others] = maps[kind].decades as readonly [Decade, ...Decade[]];
  return others.reduce<Tensor | number>((below, decade) => where(isIn(decade), value(decade), below), value(smallest));
}

/**
 * Codes (uint32 below 256) of float32 numbers in [-1, 1], or [0, 1]: the nearest number of the map; with a `threshold`
 * uniform in (0, 1) the one above or below, so that within a decade the mean is the number itself. But a number that
 * is not negative gets code 0 for 0 alone. A second moment is divided by, and must not vanish beside its neighbours.
 */
export function toCodes(x: Tensor, kind: MapKind, threshold: Tensor | number = 0.5): Tensor {
  const { decades, one } = maps[kind];
  const magnitude = abs(x);
  const isIn = ({ from }: Decade): Tensor => greaterEqual(magnitude, from);
  const bins = byDecade(kind, isIn, (decade) => decade.bins);
  const perBin = byDecade(kind, isIn, ({ slope }) => 1 / slope);
  const start = byDecade(kind, isIn, ({ slope, offset }) => -offset / slope);
  const position = floor(add(add(mul(magnitude, perBin), start), threshold));
  const code = maximum(minimum(position, add(mul(bins, 2), -1)), bins);
  const zero = kind === "signed" ? less(magnitude, (decades[0] as Decade).from) : equal(magnitude, 0);
  const known = where(zero, 0, code);
  const withSign = kind === "signed" ? where(less(known, 0.5), 0, add(known, where(less(x, 0), 128, 0))) : known;
  return cast(where(greaterEqual(x, one), oneCode[kind], withSign), "uint32");
}

/** The numbers that codes stand for, as float32. */
export function fromCodes(codes: Tensor, kind: MapKind): Tensor {
  const number = cast(codes, "float32");
  const negative = greater(number, 127.5);
  const code = kind === "signed" ? where(negative, add(number, -128), number) : number;
  const isIn = ({ bins }: Decade): Tensor => greaterEqual(code, bins);
  const slope = byDecade(kind, isIn, (decade) => decade.slope);
  const offset = byDecade(kind, isIn, (decade) => decade.offset);
  const magnitude = where(less(code, 0.5), 0, add(mul(code, slope), offset));
  const value = kind === "signed" ? where(negative, neg(magnitude), magnitude) : magnitude;
  return where(equal(number, oneCode[kind]), 1, value);
}

const blocksOf = (shape: Shape): number => Math.ceil(sizeOf(shape) / blockSize);

/** A tensor in 8 bits: four codes in a word, lowest bits first, and the largest magnitude of each block. */
export interface Blockwise {
  /** uint32, of shape [blocks, 64]. */
  readonly codes: Tensor;
  /** Of shape [blocks]. */
  readonly absmax: Tensor;
}

/** What `quantize` gives for tensors of `shape`. */
export const blockwiseShapes = (shape: Shape): { readonly codes: Shape; readonly absmax: Shape } => ({
  codes: [blocksOf(shape), wordsPerBlock],
  absmax: [blocksOf(shape)],
});

/** The bits that a code is shifted by, along the last of three axes. */
const shifts = (blocks: number): Tensor => {
  const position = cast(iotaAlong(codesPerWord, 2, 3), "uint32");
  return mul(broadcastTo(position, [blocks, wordsPerBlock, codesPerWord]), constant(8, "uint32"));
};

/** `bits`: random ones below 2^16, to round up or down by chance; without, to the nearest. */
export function quantize(x: Tensor, kind: MapKind, bits?: (like: Tensor) => Tensor): Blockwise {
  const [size, blocks] = [sizeOf(x.shape), blocksOf(x.shape)];
  const padded = padAxes(reshapeTo(x, [size]), [0], [blocks * blockSize - size]);
  const absmax = reduceNode("max", abs(reshapeTo(padded, [blocks, blockSize])), [1]);
  const words = reshapeTo(padded, [blocks, wordsPerBlock, codesPerWord]);
  const scale = reshapeTo(absmax, [blocks, 1, 1]);
  // In a block of zeros every part is 0, rather than 0 / 0.
  const parts = cast(div(words, where(equal(scale, 0), 1, scale)), "float32");
  const threshold = bits ? mul(add(cast(bits(parts), "float32"), 0.5), 2 ** -16) : 0.5;
  const codes = reduceNode("sum", shiftLeft(toCodes(parts, kind, threshold), shifts(blocks)), [2]);
  return { codes, absmax };
}

export function dequantize({ codes, absmax }: Blockwise, kind: MapKind, shape: Shape, dtype: DType): Tensor {
  const [size, blocks] = [sizeOf(shape), blocksOf(shape)];
  const words = reshapeTo(codes, [blocks, wordsPerBlock, 1]);
  const code = bitwiseAnd(shiftRight(words, shifts(blocks)), constant(0xff, "uint32"));
  const parts = cast(fromCodes(code, kind), computeDType(dtype));
  const value = mul(parts, cast(reshapeTo(absmax, [blocks, 1, 1]), computeDType(dtype)));
  const flat = sliceAxes(reshapeTo(value, [blocks * blockSize]), [0], [size], [1]);
  return cast(reshapeTo(flat, shape), dtype);
}
