/** What the operations share: results in locals, functions on single lanes, choices that leave zeros. */
import type { ComputeDType } from "@thalweg/core/backend";
import { call, type Expression, type FunctionReference } from "../emit/index.ts";
import type { FloatLanes, Lanes, Mask, Part, Vector } from "../lanes/index.ts";

export type FloatDType = "float32" | "float64";
export type IntegerDType = "int32" | "uint32";

export const isFloatVector = (dtype: ComputeDType): dtype is FloatDType => dtype === "float32" || dtype === "float64";

/** A vector of these parts, which are computed now and kept. */
export const kept = (lanes: Lanes, dtype: ComputeDType, parts: readonly Part[]): Vector => ({
  dtype,
  parts: parts.map((part) => lanes.f.let(part)),
});

export const onlyPart = ({ parts }: Vector): Part => parts[0] as Part;

export const floats = (lanes: Lanes, dtype: FloatDType): FloatLanes => (dtype === "float32" ? lanes.f32 : lanes.f64);

/** Masks of each part of a float vector, as one of 32-bit lanes. */
export const maskOfParts = (lanes: Lanes, dtype: FloatDType, masks: readonly Mask[]): Mask =>
  dtype === "float32" ? (masks[0] as Mask) : lanes.narrowMask(masks);

/** A function of f64 numbers, element by element. */
export function eachElement(lanes: Lanes, f: FunctionReference, ...operands: readonly (readonly Part[])[]): Part[] {
  const results = Array.from({ length: lanes.count }, (_, lane) =>
    call(
      "f64",
      f,
      operands.map((parts) => lanes.laneF64(parts, lane)),
    ),
  );
  return lanes.fromLanesF64(results);
}

/** A function of i32 numbers, element by element. */
export function eachInteger(
  lanes: Lanes,
  f: (a: Expression<"i32">, b: Expression<"i32">) => Expression<"i32">,
  a: Part,
  b: Part,
): Part {
  return lanes.fromLanesI32(
    Array.from({ length: lanes.count }, (_, lane) => f(lanes.laneI32(a, lane), lanes.laneI32(b, lane))),
  );
}

/** The 32-bit integers where the mask holds, 0 elsewhere. */
export const integersWhere = (lanes: Lanes, mask: Mask, a: Part): Part =>
  lanes.count === 1 ? lanes.i32.select(mask, a, lanes.i32.constant(0)) : lanes.i32.and(mask, a);
