/** Powers of int32 and uint32 vectors modulo 2^32. */
import type { Code } from "../code.ts";
import { call, type Expression, type ValueType, v128 } from "../emit/index.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { integersWhere, onlyPart } from "./parts.ts";

/** Exponents known to be at most this are written out as multiplications. */
const longestChain = 16;

export function integerPower(code: Code, lanes: Lanes, a: Vector, b: Vector): Part {
  const [base, exponent] = [onlyPart(a), onlyPart(b)];
  const { constant } = b;
  if (constant !== undefined && constant >= 0 && constant <= longestChain) return chain(lanes, base, constant);
  const type: ValueType = lanes.count === 1 ? "i32" : "v128";
  const loop = code.module.shared(`integer power ${type}`, [type, type], [type], (f) => {
    const own = code.lanes(f);
    const [x, e] = [f.parameter(0, type), f.parameter(1, type)];
    const ints = own.i32;
    const result = f.let(f.local(type));
    f.set(result, ints.constant(1) as Expression<typeof type>);
    f.loop((again) => {
      const odd = own.mask.fromInt(ints.and(e, ints.constant(1)));
      f.set(result, ints.select(odd, ints.mul(result, x), result) as Expression<typeof type>);
      f.set(x, ints.mul(x, x) as Expression<typeof type>);
      f.set(e, ints.shrU(e, 1) as Expression<typeof type>);
      f.brIf(again, own.count === 1 ? (e as Expression<"i32">) : v128.anyTrue(e as Expression<"v128">));
    });
    f.return(result);
  });
  const power = call(type, loop, [base, exponent]);
  if (a.dtype === "uint32" || (constant !== undefined && constant >= 0)) return power;
  // A negative exponent leaves a fraction, which is dropped, of every base but 1 and -1, whose powers take their turns in
  // both directions.
  const ints = lanes.i32;
  const whole = lanes.mask.or(ints.leS(ints.constant(0), exponent), ints.eq(ints.abs(base), ints.constant(1)));
  return integersWhere(lanes, whole, power);
}

function chain(lanes: Lanes, base: Part, exponent: number): Part {
  const { f, i32: ints } = lanes;
  let result: Part | undefined;
  let square = base;
  for (let rest = exponent; rest > 0; rest >>= 1) {
    if (rest & 1) result = result ? ints.mul(result, square) : square;
    if (rest > 1) square = f.let(ints.mul(square, square));
  }
  return result ?? ints.constant(1);
}
