/**
 * log and log1p of float32, and softplus. The argument is 2^e·(1 + z) with 1 + z between √½ and √2: a polynomial in z, and
 * e·ln 2.
 */
import type { Lanes, Mask, Part } from "../lanes/index.ts";
import { expOfNegated } from "./exponential.ts";
import { polynomial } from "./polynomial.ts";

/** The first part has few enough bits for its product with e to be exact. */
const ln2High = 0.693145751953125;
const ln2Low = 1.428606765330187e-6;

/** (log(1 + z) - z) / z², to 2^-28 of the logarithm. */
const restOfLog = [
  -0.49999988079071045, 0.33333325386047363, -0.25001612305641174, 0.20002029836177826, -0.16608332097530365,
  0.14180003106594086, -0.13247834146022797, 0.12919797003269196, -0.07629186660051346,
];

const smallestNormal = 2 ** -126;
const rootOfHalf = 0x3f3504f3;
const one = 0x3f800000;
const signBit = -(2 ** 31);
const exponentAndSign = -(2 ** 23);

/**
 * log(u + correction) + ln 2·shift for positive normal u; `correction` is at most half a unit in u's last place, or left
 * out.
 */
function logOfSum(lanes: Lanes, u: Part, correction?: Part, shift?: Part): Part {
  const { f, f32, i32 } = lanes;
  const bits = lanes.bits(u);
  const aboveRoot = f.let(i32.sub(bits, i32.constant(rootOfHalf)));
  const exponentBits = f.let(i32.and(aboveRoot, i32.constant(exponentAndSign)));
  const whole = lanes.floatFromS(i32.shrS(aboveRoot, 23));
  const e = f.let(shift ? f32.add(whole, shift) : whole);
  const near1 = f32.sub(lanes.fromBits(i32.sub(bits, exponentBits)), f32.constant(1));
  // Times 2^-e, or 0 where that would be subnormal and there is nothing left to correct.
  const scaled = (lost: Part): Part => {
    const scale = i32.maxS(i32.sub(i32.constant(one), exponentBits), i32.constant(0));
    return f32.madd(lost, lanes.fromBits(scale), near1);
  };
  const z = f.let(correction ? scaled(correction) : near1);
  const square = f.let(f32.mul(z, z));
  const low = f32.mul(e, f32.constant(ln2Low));
  const rest = f32.madd(polynomial(f32, z, restOfLog), square, low);
  return f.let(f32.madd(e, f32.constant(ln2High), f32.add(rest, z)));
}

export function log(lanes: Lanes, x: Part): Part {
  const { f, f32, i32, mask } = lanes;
  // Anything but a positive normal number: rare, so that a branch, which is predicted, is cheaper than to be prepared.
  // One signed comparison: the bits are moved so that the range of interest starts at the least integer.
  const moved = i32.add(lanes.bits(x), i32.constant(0x7f800000));
  const special = f.let(mask.any(i32.ltS(i32.constant(0xfeffffff | 0), moved)));
  const normal = f.local(x.type);
  const shift = f.local(x.type);
  f.set(normal, x);
  f.set(shift, f32.constant(0));
  f.if(special, () => {
    const small = f.let(f32.lt(x, f32.constant(smallestNormal)));
    f.set(normal, f32.select(small, f32.mul(x, f32.constant(2 ** 23)), x));
    f.set(shift, f32.select(small, f32.constant(-23), f32.constant(0)));
  });
  const result = f.local(x.type);
  f.set(result, logOfSum(lanes, normal, undefined, shift));
  f.if(special, () => f.set(result, atLimits(lanes, x, 0, result)));
  return result;
}

/** `value`, but -∞ where x is `pole`, NaN below, and x itself where it is ∞ or NaN. */
function atLimits(lanes: Lanes, x: Part, pole: number, value: Part): Part {
  const { f32 } = lanes;
  const choose = (test: Mask, then: number, otherwise: Part): Part => f32.select(test, f32.constant(then), otherwise);
  const finite = f32.select(f32.lt(x, f32.constant(Number.POSITIVE_INFINITY)), value, x);
  const atPole = choose(f32.eq(x, f32.constant(pole)), Number.NEGATIVE_INFINITY, finite);
  return choose(f32.lt(x, f32.constant(pole)), Number.NaN, atPole);
}

/** What rounding took from 1 + x, which is `sum`. */
const lostOf = ({ f32 }: Lanes, x: Part, sum: Part): Part => f32.sub(x, f32.sub(sum, f32.constant(1)));

export function log1p(lanes: Lanes, x: Part): Part {
  const { f, f32, i32, mask } = lanes;
  const sum = f.let(f32.add(x, f32.constant(1)));
  const value = logOfSum(lanes, sum, lostOf(lanes, x, sum));
  // The sign is that of x: of -0 too.
  const result = f.local(x.type);
  f.set(result, lanes.fromBits(i32.or(lanes.bits(value), i32.and(lanes.bits(x), i32.constant(signBit)))));
  const inside = mask.and(f32.gt(x, f32.constant(-1)), f32.lt(x, f32.constant(Number.POSITIVE_INFINITY)));
  f.if(mask.any(mask.not(inside)), () => f.set(result, atLimits(lanes, x, -1, result)));
  return result;
}

/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). */
export function softplus(lanes: Lanes, x: Part): Part {
  const { f, f32 } = lanes;
  const small = expOfNegated(lanes, x);
  const sum = f.let(f32.add(small, f32.constant(1)));
  const rest = logOfSum(lanes, sum, lostOf(lanes, small, sum));
  return f.let(f32.add(rest, f32.pmax(x, f32.constant(0))));
}
