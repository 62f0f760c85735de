/** Sums of vectors in a dtype that has sums; those of integers wrap. */
import type { Lanes, Part, Vector } from "../lanes/index.ts";

export function vectorSum(lanes: Lanes, a: Vector, b: Vector): Vector {
  const { f, f32, f64, i32 } = lanes;
  const add = (x: Part, y: Part): Part => {
    switch (a.dtype) {
      case "float32":
        return f32.add(x, y);
      case "float64":
        return f64.add(x, y);
      default:
        return i32.add(x, y);
    }
  };
  return { dtype: a.dtype, parts: a.parts.map((part, i) => f.let(add(part, b.parts[i] as Part))) };
}
