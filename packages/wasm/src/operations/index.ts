/** The operations of the scalar language on vectors, with the meaning of core's graph/scalar.ts. Results are in locals. */
import type { BinaryOp, UnaryOp } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import type { Lanes, Vector } from "../lanes/index.ts";
import { boolBinary, boolUnary } from "./bool.ts";
import { floatBinary, floatUnary } from "./float.ts";
import { integerBinary, integerUnary } from "./integer.ts";
import { isFloatVector } from "./parts.ts";

export { castOperation, roundToOperation } from "./cast.ts";
export { constantVector } from "./constant.ts";
export { philoxOperation } from "./philox.ts";
export { whereOperation } from "./where.ts";

export function unaryOperation(code: Code, lanes: Lanes, op: UnaryOp, a: Vector): Vector {
  if (isFloatVector(a.dtype)) return floatUnary(code, lanes, op, a);
  return a.dtype === "bool" ? boolUnary(lanes, op, a) : integerUnary(lanes, op, a);
}

export function binaryOperation(code: Code, lanes: Lanes, op: BinaryOp, a: Vector, b: Vector): Vector {
  if (isFloatVector(a.dtype)) return floatBinary(code, lanes, op, a, b);
  return a.dtype === "bool" ? boolBinary(lanes, op, a, b) : integerBinary(code, lanes, op, a, b);
}
