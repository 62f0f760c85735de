/** Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) on vectors of blocks. */
import type { Code } from "../code.ts";
import { call, type Expression, i32, i32x4, i64x2, shuffle32, type V128, type ValueType, v128 } from "../emit/index.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { productHigh } from "./integer.ts";
import { kept, onlyPart } from "./parts.ts";

const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
const keySteps = [0x9e3779b9, 0xbb67ae85] as const;
const rounds = 10;

/**
 * Words of random streams; operands: index (int32), key0, key1, stream0, stream1 (uint32). A word is lane index mod 4 of
 * the block with counter (index div 4, 0, stream0, stream1). A function of the module, shared by all kernels: it is long.
 */
export function philoxOperation(code: Code, lanes: Lanes, args: readonly Vector[]): Vector {
  const type: ValueType = lanes.count === 1 ? "i32" : "v128";
  const words = code.module.shared(`philox ${type}`, new Array<ValueType>(5).fill(type), [type], (f) => {
    const at = (position: number): Part => f.parameter(position, type);
    const own = code.lanes(f);
    if (own.count === 4) {
      const vectors = [0, 1, 2, 3, 4].map(at) as readonly Part[] as readonly V128[];
      f.if(isOneBlock(own, vectors), () => f.return(oneBlock(own, vectors)));
    }
    f.return(word(own, at(0), [at(1), at(2)], [at(3), at(4)]));
  });
  return kept(lanes, "uint32", [call(type, words, args.map(onlyPart))]);
}

/** High and low words of the products with a multiplier. */
function product(lanes: Lanes, a: Part, b: number): [high: Part, low: Part] {
  const { f, i32: ints } = lanes;
  const factor = ints.constant(b | 0);
  if (lanes.count === 1) return [f.let(productHigh(lanes, false, a, factor)), f.let(ints.mul(a, factor))];
  const [x, y] = [a as V128, factor as V128];
  const [first, last] = [f.let(i64x2.extmulLowI32x4U(x, y)), f.let(i64x2.extmulHighI32x4U(x, y))];
  return [f.let(shuffle32(first, last, [1, 3, 5, 7])), f.let(shuffle32(first, last, [0, 2, 4, 6]))];
}

function word(lanes: Lanes, index: Part, keys: [Part, Part], streams: [Part, Part]): Part {
  const { f, i32: ints, mask } = lanes;
  let [c0, c1, c2, c3]: [Part, Part, Part, Part] = [f.let(ints.shrU(index, 2)), ints.constant(0), ...streams];
  let [k0, k1] = keys;
  for (let round = 0; round < rounds; round++) {
    const [high0, low0] = product(lanes, c0, multipliers[0]);
    const [high1, low1] = product(lanes, c2, multipliers[1]);
    c0 = f.let(ints.xor(ints.xor(high1, c1), k0));
    c2 = f.let(ints.xor(ints.xor(high0, c3), k1));
    [c1, c3] = [low1, low0];
    k0 = f.let(ints.add(k0, ints.constant(keySteps[0] | 0)));
    k1 = f.let(ints.add(k1, ints.constant(keySteps[1] | 0)));
  }
  const odd = f.let(mask.fromInt(ints.and(index, ints.constant(1))));
  const upper = mask.fromInt(ints.and(index, ints.constant(2)));
  return ints.select(upper, ints.select(odd, c3, c2), ints.select(odd, c1, c0));
}

/** i32: whether the lanes are the four words of one block, in order; operands as those of `philoxOperation`. */
function isOneBlock(lanes: Lanes, [index, ...same]: readonly V128[]): Expression<"i32"> {
  const { f } = lanes;
  const first = (a: V128): V128 => shuffle32(a, a, [0, 0, 0, 0]);
  const words = v128.or(first(index as V128), f.constant(i32x4.const([0, 1, 2, 3])));
  // Of an index that is no multiple of 4 the bits of 1, 2 or 3 are not all new, so that the sequence is another.
  const differences = same.reduce((all, a) => v128.or(all, v128.xor(a, first(a))), v128.xor(index as V128, words));
  return i32.eqz(v128.anyTrue(differences));
}

/**
 * The words of one block, both products of a round in one vector: a third of the instructions that four blocks take, and
 * what a stream that is read in order needs.
 */
function oneBlock({ f }: Lanes, [index, key0, key1, stream0, stream1]: readonly V128[]): V128 {
  const pair = (a: V128, b: V128): V128 => f.let(shuffle32(a, b, [0, 4, 0, 4]));
  const [m0, m1] = multipliers;
  const [step0, step1] = keySteps;
  const factors = f.constant(i32x4.const([m0, m1, 0, 0]));
  const steps = f.constant(i32x4.const([step0, step1, 0, 0]));
  // Words 0 and 2 of the counter, and 1 and 3.
  let even = pair(f.let(i32x4.shrU(index as V128, 2)), stream0 as V128);
  let odd = pair(f.constant(i32x4.const([0, 0, 0, 0])), stream1 as V128);
  let keys = pair(key0 as V128, key1 as V128);
  for (let round = 0; round < rounds; round++) {
    const products = f.let(i64x2.extmulLowI32x4U(even, factors));
    even = f.let(v128.xor(shuffle32(products, products, [3, 1, 3, 1]), v128.xor(odd, keys)));
    odd = f.let(shuffle32(products, products, [2, 0, 2, 0]));
    keys = f.let(i32x4.add(keys, steps));
  }
  return shuffle32(even, odd, [0, 4, 1, 5]);
}
