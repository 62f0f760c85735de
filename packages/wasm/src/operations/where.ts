import { type V128, v128 } from "../emit/index.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { kept, onlyPart } from "./parts.ts";

/** a where the bool `test` holds, else b. */
export function whereOperation(lanes: Lanes, test: Vector, a: Vector, b: Vector): Vector {
  const mask = onlyPart(test);
  const { dtype } = a;
  if (test.constant !== undefined) return test.constant === 0 ? b : a;
  const masks = dtype === "float64" ? lanes.widenMask(mask) : [mask];
  const keptMasks = masks.length > 1 ? masks.map((part) => lanes.f.let(part)) : masks;
  const other = (index: number): Part => b.parts[index] as Part;
  if (lanes.count === 4) {
    // One instruction where a choice takes three: a zero is what a mask leaves.
    if (Object.is(b.constant, 0)) {
      return kept(
        lanes,
        dtype,
        a.parts.map((part, index) => lanes.i32.and(keptMasks[index] as Part, part)),
      );
    }
    if (Object.is(a.constant, 0)) {
      return kept(
        lanes,
        dtype,
        b.parts.map((part, index) => v128.andnot(part as V128, keptMasks[index] as V128)),
      );
    }
  }
  const ops = dtype === "float32" ? lanes.f32 : dtype === "float64" ? lanes.f64 : lanes.i32;
  return kept(
    lanes,
    dtype,
    a.parts.map((part, index) => ops.select(keptMasks[index] as Part, part, other(index))),
  );
}
