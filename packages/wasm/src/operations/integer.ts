/** Operations on int32 and uint32: wrapping arithmetic, bits, comparisons. */
import { type BinaryOp, DTypeError, type UnaryOp } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import { type Expression, i32, i64, i64x2, shuffle32, type V128 } from "../emit/index.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { quotient, remainder } from "./integerDivision.ts";
import { integerPower } from "./integerPower.ts";
import { eachInteger, type IntegerDType, kept, onlyPart } from "./parts.ts";

export function integerUnary(lanes: Lanes, op: UnaryOp, a: Vector): Vector {
  const x = onlyPart(a);
  const signed = a.dtype === "int32";
  const ints = lanes.i32;
  const result = (part: Part): Vector => kept(lanes, a.dtype, [part]);
  switch (op) {
    case "floor":
    case "ceil":
    case "round":
    case "trunc":
      return a;
    case "isNaN":
      return { dtype: "bool", parts: [lanes.mask.constant(false)], constant: 0 };
    case "neg":
      return result(ints.neg(x));
    case "not":
      return result(ints.not(x));
    case "abs":
      return signed ? result(ints.abs(x)) : a;
    case "relu":
      return signed ? result(ints.maxS(x, ints.constant(0))) : a;
    case "sign":
      return result(
        signed ? ints.maxS(ints.minS(x, ints.constant(1)), ints.constant(-1)) : ints.minU(x, ints.constant(1)),
      );
    default:
      throw new DTypeError(op, `does not take ${a.dtype}`);
  }
}

export function integerBinary(code: Code, lanes: Lanes, op: BinaryOp, a: Vector, b: Vector): Vector {
  const dtype = a.dtype as IntegerDType;
  const signed = dtype === "int32";
  const [x, y] = [onlyPart(a), onlyPart(b)];
  const ints = lanes.i32;
  const result = (part: Part): Vector => kept(lanes, dtype, [part]);
  const mask = (part: Part): Vector => kept(lanes, "bool", [part]);
  switch (op) {
    case "add":
      return result(ints.add(x, y));
    case "sub":
      return result(ints.sub(x, y));
    case "mul":
      return result(ints.mul(x, y));
    case "div":
      return quotient(lanes, a, b);
    case "mod":
      return remainder(lanes, a, b);
    case "pow":
      return result(integerPower(code, lanes, a, b));
    case "maximum":
      return result(signed ? ints.maxS(x, y) : ints.maxU(x, y));
    case "minimum":
      return result(signed ? ints.minS(x, y) : ints.minU(x, y));
    case "equal":
      return mask(ints.eq(x, y));
    case "notEqual":
      return mask(ints.ne(x, y));
    case "less":
      return mask(signed ? ints.ltS(x, y) : ints.ltU(x, y));
    case "lessEqual":
      return mask(signed ? ints.leS(x, y) : ints.leU(x, y));
    case "and":
      return result(ints.and(x, y));
    case "or":
      return result(ints.or(x, y));
    case "xor":
      return result(ints.xor(x, y));
    case "shiftLeft":
      return result(b.constant === undefined ? eachInteger(lanes, i32.shl, x, y) : ints.shl(x, b.constant & 31));
    case "shiftRight": {
      if (b.constant === undefined) return result(eachInteger(lanes, signed ? i32.shrS : i32.shrU, x, y));
      return result(signed ? ints.shrS(x, b.constant & 31) : ints.shrU(x, b.constant & 31));
    }
    case "mulHigh":
      return result(productHigh(lanes, signed, x, y));
    default:
      throw new DTypeError(op, `does not take ${dtype}`);
  }
}

/** The high words of the 64-bit products of 32-bit integers; operands are locals. */
export function productHigh(lanes: Lanes, signed: boolean, a: Part, b: Part): Part {
  if (lanes.count === 1) {
    const wide = (x: Part): Expression<"i64"> => (signed ? i64.extendI32S : i64.extendI32U)(x as Expression<"i32">);
    return i32.wrapI64(i64.shrU(i64.mul(wide(a), wide(b)), 32n));
  }
  const [low, high] = signed
    ? [i64x2.extmulLowI32x4S, i64x2.extmulHighI32x4S]
    : [i64x2.extmulLowI32x4U, i64x2.extmulHighI32x4U];
  const [x, y] = [a as V128, b as V128];
  return shuffle32(low(x, y), high(x, y), [1, 3, 5, 7]);
}
