/** Operations on bool, which are masks. */
import { type BinaryOp, DTypeError, type UnaryOp } from "@thalweg/core/backend";
import type { Lanes, Mask, Vector } from "../lanes/index.ts";
import { kept, onlyPart } from "./parts.ts";

export function boolUnary(lanes: Lanes, op: UnaryOp, a: Vector): Vector {
  if (op !== "not") throw new DTypeError(op, "does not take bool");
  return kept(lanes, "bool", [lanes.mask.not(onlyPart(a))]);
}

export function boolBinary(lanes: Lanes, op: BinaryOp, a: Vector, b: Vector): Vector {
  const { mask } = lanes;
  const [x, y] = [onlyPart(a), onlyPart(b)];
  const result = (part: Mask): Vector => kept(lanes, "bool", [part]);
  switch (op) {
    case "and":
    case "mul":
    case "minimum":
      return result(mask.and(x, y));
    case "or":
    case "add":
    case "maximum":
      return result(mask.or(x, y));
    case "xor":
    case "notEqual":
      return result(mask.xor(x, y));
    case "equal":
      return result(mask.not(mask.xor(x, y)));
    case "less":
      return result(mask.and(mask.not(x), y));
    case "lessEqual":
      return result(mask.or(mask.not(x), y));
    default:
      throw new DTypeError(op, "does not take bool");
  }
}
