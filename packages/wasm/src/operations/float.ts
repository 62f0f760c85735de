/** Operations on floats: what WebAssembly has, as it has it; the rest through math/ (float32) or imports (float64). */
import { type BinaryOp, DTypeError, type UnaryOp } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import type { FloatLanes, Lanes, Mask, Part, Vector } from "../lanes/index.ts";
import { mathFunction, type UnaryMath } from "../math/index.ts";
import { floatRemainder } from "./floatRemainder.ts";
import { eachElement, type FloatDType, floats, kept, maskOfParts, onlyPart } from "./parts.ts";

/** An operation on one part, whose operands are locals. */
type PartUnary = (ops: FloatLanes, x: Part) => Part;

const native: Readonly<Record<Exclude<UnaryOp, UnaryMath | "isNaN" | "not">, PartUnary>> = {
  neg: (ops, x) => ops.neg(x),
  abs: (ops, x) => ops.abs(x),
  /** NaN is neither above nor below 0, and gives 0. */
  sign: (ops, x) => {
    const zero = ops.constant(0);
    const negative = ops.select(ops.lt(x, zero), ops.constant(-1), zero);
    return ops.select(ops.gt(x, zero), ops.constant(1), negative);
  },
  sqrt: (ops, x) => ops.sqrt(x),
  rsqrt: (ops, x) => ops.div(ops.constant(1), ops.sqrt(x)),
  reciprocal: (ops, x) => ops.div(ops.constant(1), x),
  /** x < 0 ? 0 : x, so that NaN stays. */
  relu: (ops, x) => ops.pmax(x, ops.constant(0)),
  floor: (ops, x) => ops.floor(x),
  ceil: (ops, x) => ops.ceil(x),
  round: (ops, x) => ops.nearest(x),
  trunc: (ops, x) => ops.trunc(x),
};

export function floatUnary(code: Code, lanes: Lanes, op: UnaryOp, { dtype, parts }: Vector): Vector {
  const float = dtype as FloatDType;
  const ops = floats(lanes, float);
  if (op === "isNaN") {
    const masks = parts.map((x) => ops.ne(x, x));
    return kept(lanes, "bool", [maskOfParts(lanes, float, masks)]);
  }
  const onPart = (native as Partial<Record<UnaryOp, PartUnary>>)[op];
  if (onPart) {
    const results = parts.map((x) => onPart(ops, x));
    return kept(lanes, dtype, results);
  }
  if (op === "not") throw new DTypeError(op, `does not take ${dtype}`);
  const math = op as UnaryMath;
  return kept(
    lanes,
    dtype,
    dtype === "float32"
      ? [mathFunction(code, lanes, math, parts[0] as Part)]
      : eachElement(lanes, code.imported(math), parts),
  );
}

const comparisons: Partial<Record<BinaryOp, (ops: FloatLanes, a: Part, b: Part) => Mask>> = {
  equal: (ops, a, b) => ops.eq(a, b),
  notEqual: (ops, a, b) => ops.ne(a, b),
  less: (ops, a, b) => ops.lt(a, b),
  lessEqual: (ops, a, b) => ops.le(a, b),
};

const arithmetic: Partial<Record<BinaryOp, (ops: FloatLanes, a: Part, b: Part) => Part>> = {
  add: (ops, a, b) => ops.add(a, b),
  sub: (ops, a, b) => ops.sub(a, b),
  mul: (ops, a, b) => ops.mul(a, b),
  div: (ops, a, b) => ops.div(a, b),
};

export function floatBinary(code: Code, lanes: Lanes, op: BinaryOp, a: Vector, b: Vector): Vector {
  const dtype = a.dtype as FloatDType;
  const ops = floats(lanes, dtype);
  const eachPart = <R>(f: (ops: FloatLanes, x: Part, y: Part) => R): R[] =>
    a.parts.map((x, index) => f(ops, x, b.parts[index] as Part));
  const [compare, compute] = [comparisons[op], arithmetic[op]];
  if (compare) return kept(lanes, "bool", [maskOfParts(lanes, dtype, eachPart(compare))]);
  if (compute) return kept(lanes, dtype, eachPart(compute));
  switch (op) {
    case "maximum":
    case "minimum":
      return extreme(lanes, op, a, b);
    case "pow":
      return power(code, lanes, a, b);
    case "mod":
      return floatRemainder(code, lanes, a, b);
    default:
      throw new DTypeError(op, `does not take ${dtype}`);
  }
}

/**
 * The larger or smaller; NaN if one is, and -0 counts as below 0. WebAssembly's min and max say just that, but take 8
 * instructions of x86, where pmin and pmax take one.
 */
function extreme(lanes: Lanes, op: "maximum" | "minimum", a: Vector, b: Vector): Vector {
  const dtype = a.dtype as FloatDType;
  const ops = floats(lanes, dtype);
  const [x, bound] = a.constant === undefined ? [a, b] : [b, a];
  const pick = op === "maximum" ? ops.pmax : ops.pmin;
  const eachPart = (f: (u: Part, v: Part) => Part): Vector =>
    kept(
      lanes,
      dtype,
      x.parts.map((u, index) => f(u, bound.parts[index] as Part)),
    );
  const { constant } = bound;
  const isZero = constant === 0;
  if (constant !== undefined && !Number.isNaN(constant)) {
    // pmin and pmax give their first operand if it is NaN, and if both are zeros.
    const negativeZero = Object.is(constant, -0);
    if (!isZero || negativeZero === (op === "maximum")) return eachPart(pick);
    // The sum turns -0 into 0.
    if (op === "maximum") return eachPart((u, v) => ops.add(pick(u, v), v));
  }
  if (lanes.count === 1) return eachPart(op === "maximum" ? ops.max : ops.min);
  const { or, xor } = lanes.i32;
  // Both ways round gives the same but for NaN and two zeros. NaN with any bits more is NaN, and -0 has a bit more than 0.
  if (op === "minimum") return eachPart((u, v) => or(pick(u, v), pick(v, u)));
  return eachPart((u, v) => {
    const [first, second] = [lanes.f.let(pick(u, v)), lanes.f.let(pick(v, u))];
    // The difference in bits is 0, but -0 for two zeros, of which the sum shall be 0: -0 - -0.
    return ops.sub(or(first, second), xor(first, second));
  });
}

function power(code: Code, lanes: Lanes, a: Vector, b: Vector): Vector {
  const dtype = a.dtype as FloatDType;
  const ops = floats(lanes, dtype);
  const eachPart = (f: (x: Part) => Part): Vector => kept(lanes, dtype, a.parts.map(f));
  switch (b.constant) {
    case 1:
      return a;
    case 2:
      return eachPart((x) => ops.mul(x, x));
    case -1:
      return eachPart((x) => ops.div(ops.constant(1), x));
    case 0.5: {
      // Only the sign of a zero and -∞ tell it from the square root.
      const infinity = ops.constant(Number.POSITIVE_INFINITY);
      return eachPart((x) => {
        const root = ops.add(ops.sqrt(x), ops.constant(0));
        return ops.select(ops.eq(x, ops.constant(Number.NEGATIVE_INFINITY)), infinity, root);
      });
    }
    default:
      return kept(
        lanes,
        dtype,
        dtype === "float32"
          ? [mathFunction(code, lanes, "pow", onlyPart(a), onlyPart(b))]
          : eachElement(lanes, code.imported("pow"), a.parts, b.parts),
      );
  }
}
