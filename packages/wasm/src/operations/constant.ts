import type { ComputeDType } from "@thalweg/core/backend";
import type { Lanes, Vector } from "../lanes/index.ts";

/** The same number, valid in `dtype` or rounded to it, in all lanes. */
export function constantVector(lanes: Lanes, dtype: ComputeDType, value: number): Vector {
  switch (dtype) {
    case "float32":
      return { dtype, parts: [lanes.f32.constant(value)], constant: Math.fround(value) };
    case "float64": {
      const part = lanes.f64.constant(value);
      return { dtype, parts: new Array<typeof part>(lanes.wideParts).fill(part), constant: value };
    }
    case "bool":
      return { dtype, parts: [lanes.mask.constant(value !== 0)], constant: value };
    default:
      return { dtype, parts: [lanes.i32.constant(value | 0)], constant: value };
  }
}
