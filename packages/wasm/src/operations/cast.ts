/** From one dtype to another, as castValue and roundTo in core. */
import type { ComputeDType, DType } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { roundToHalf } from "../storage/index.ts";
import { constantVector } from "./constant.ts";
import { type FloatDType, floats, isFloatVector, kept, maskOfParts, onlyPart } from "./parts.ts";

/** Conversion to `to`: truncates and saturates from float to integer (NaN: 0); to bool: is it not 0? */
export function castOperation(_code: Code, lanes: Lanes, to: ComputeDType, a: Vector): Vector {
  if (to === a.dtype) return a;
  if (to === "bool") return toBool(lanes, a);
  return kept(lanes, to, a.dtype === "bool" ? fromBool(lanes, to, onlyPart(a)) : converted(lanes, to, a));
}

function toBool(lanes: Lanes, a: Vector): Vector {
  if (!isFloatVector(a.dtype)) return kept(lanes, "bool", [lanes.mask.fromInt(onlyPart(a))]);
  const ops = floats(lanes, a.dtype);
  const masks = a.parts.map((part) => ops.ne(part, ops.constant(0)));
  return kept(lanes, "bool", [maskOfParts(lanes, a.dtype, masks)]);
}

function fromBool(lanes: Lanes, to: Exclude<ComputeDType, "bool">, mask: Part): readonly Part[] {
  if (!isFloatVector(to)) return [lanes.mask.toInt(mask)];
  if (lanes.count === 1) return to === "float32" ? [lanes.floatFromS(mask)] : lanes.wideFromS(mask);
  // A mask has all bits or none: it makes the bits of 1 those of 0.
  const one = onlyPart(constantVector(lanes, to, 1));
  const masks = to === "float32" ? [mask] : lanes.widenMask(mask);
  return masks.map((part) => lanes.i32.and(part, one));
}

function converted(lanes: Lanes, to: Exclude<ComputeDType, "bool">, { dtype, parts }: Vector): readonly Part[] {
  const part = parts[0] as Part;
  switch (dtype) {
    case "float32":
      return to === "float64" ? lanes.widen(part) : [to === "int32" ? lanes.truncS(part) : lanes.truncU(part)];
    case "float64":
      if (to === "float32") return [lanes.narrow(parts)];
      return [to === "int32" ? lanes.wideTruncS(parts) : lanes.wideTruncU(parts)];
    case "int32":
      if (to === "float64") return lanes.wideFromS(part);
      return [to === "float32" ? lanes.floatFromS(part) : part];
    default:
      if (to === "float64") return lanes.wideFromU(part);
      return [to === "float32" ? lanes.floatFromU(part) : part];
  }
}

/** A float rounded to what `to` can hold. */
export function roundToOperation(_code: Code, lanes: Lanes, to: DType, a: Vector): Vector {
  if (to === a.dtype || to === "float64") return a;
  const from = a.dtype as FloatDType;
  const single = from === "float32" ? onlyPart(a) : lanes.f.let(lanes.narrow(a.parts));
  const rounded = to === "bfloat16" || to === "float16" ? lanes.f.let(roundToHalf(lanes, to, single)) : single;
  return kept(lanes, from, from === "float32" ? [rounded] : lanes.widen(rounded));
}
