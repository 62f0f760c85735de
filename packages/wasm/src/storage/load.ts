/** Elements in memory as vectors. */
import { bytesPerElement, computeDType, type DType } from "@thalweg/core/backend";
import { type Expression, f32, f64, i16x8, i32, i32x4, shuffle32, type V128, v128 } from "../emit/index.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { floatFromHalf } from "./half.ts";

type Address = Expression<"i32">;

/** What a 32-bit lane of a `dtype` vector holds: the element's own 32 bits, or what its fewer bits mean. */
function decoded(lanes: Lanes, dtype: DType, raw: Part): Part {
  switch (dtype) {
    case "bfloat16":
    case "float16":
      return floatFromHalf(lanes, dtype, raw);
    case "bool":
      // The byte has no sign here, so that "not 0" is "above 0", which is one instruction.
      return lanes.count === 1 ? lanes.mask.fromInt(raw) : lanes.i32.ltS(lanes.i32.constant(0), raw);
    default:
      return raw;
  }
}

function vector(lanes: Lanes, dtype: DType, parts: readonly Part[]): Vector {
  return { dtype: computeDType(dtype), parts: parts.map((part) => lanes.f.let(part)) };
}

/** One element as a scalar: a narrow one as an i32 of its bits. */
function scalar(dtype: Exclude<DType, "float64">, address: Address, offset: number): Expression<"f32" | "i32"> {
  switch (dtype) {
    case "float32":
      return f32.load(address, offset);
    case "int32":
    case "uint32":
      return i32.load(address, offset);
    case "bool":
      return i32.load8U(address, offset);
    default:
      return i32.load16U(address, offset);
  }
}

/** The bits of `count` neighbours, each in a 32-bit lane. */
function neighbours(dtype: Exclude<DType, "float64">, address: Address, offset: number, count: number): V128 {
  switch (dtype) {
    case "float32":
    case "int32":
    case "uint32": {
      if (count === 4) return v128.load(address, offset);
      if (count === 1) return v128.load32Zero(address, offset);
      const pair = v128.load64Zero(address, offset);
      return count === 2 ? pair : v128.load32Lane(address, pair, 2, offset + 8);
    }
    case "bool": {
      if (count === 1) return i32x4.splat(i32.load8U(address, offset));
      const pair = i32x4.splat(i32.load16U(address, offset));
      const bytes =
        count === 4
          ? v128.load32Zero(address, offset)
          : count === 2
            ? pair
            : v128.load8Lane(address, pair, 2, offset + 2);
      return i32x4.extendLowI16x8U(i16x8.extendLowI8x16U(bytes));
    }
    default: {
      if (count === 4) return v128.load16x4U(address, offset);
      if (count === 1) return i32x4.splat(i32.load16U(address, offset));
      const pair = v128.load32Zero(address, offset);
      return i32x4.extendLowI16x8U(count === 2 ? pair : v128.load16Lane(address, pair, 2, offset + 4));
    }
  }
}

/**
 * `count` (1 … lanes.count) neighbouring elements from `offset` bytes (not negative) behind `address`; no byte beyond them
 * is read. Lanes from `count` on hold anything. `address` is computed several times: a local.
 */
export function loadVector(lanes: Lanes, dtype: DType, address: Address, offset: number, count: number): Vector {
  if (lanes.count === 1) return loadSplat(lanes, dtype, address, offset);
  if (dtype !== "float64")
    return vector(lanes, dtype, [decoded(lanes, dtype, neighbours(dtype, address, offset, count))]);
  const part = (of: number, at: number): Part =>
    of >= 2 ? v128.load(address, at) : of === 1 ? v128.load64Zero(address, at) : lanes.f64.constant(0);
  return vector(lanes, dtype, [part(count, offset), part(count - 2, offset + 16)]);
}

/** One element in all lanes. */
export function loadSplat(lanes: Lanes, dtype: DType, address: Address, offset: number): Vector {
  if (dtype === "float64") {
    if (lanes.count === 1) return vector(lanes, dtype, [f64.load(address, offset)]);
    const both = lanes.f.let(v128.load64Splat(address, offset));
    return { dtype, parts: [both, both] };
  }
  const raw =
    lanes.count === 1
      ? scalar(dtype, address, offset)
      : bytesPerElement(dtype) === 4
        ? v128.load32Splat(address, offset)
        : i32x4.splat(scalar(dtype, address, offset) as Address);
  return vector(lanes, dtype, [decoded(lanes, dtype, raw)]);
}

/** `to` with one element in lane `lane`. */
export function loadLane(
  lanes: Lanes,
  dtype: DType,
  address: Address,
  offset: number,
  to: Vector,
  lane: number,
): Vector {
  if (lanes.count === 1) return loadSplat(lanes, dtype, address, offset);
  const parts = to.parts as readonly V128[];
  if (dtype === "float64") {
    const loaded = v128.load64Lane(address, parts[lane >> 1] as V128, lane & 1, offset);
    return vector(lanes, dtype, parts.with(lane >> 1, loaded));
  }
  const [before] = parts as [V128];
  if (bytesPerElement(dtype) === 4) return vector(lanes, dtype, [v128.load32Lane(address, before, lane, offset)]);
  const [one] = loadSplat(lanes, dtype, address, offset).parts as [V128];
  const kept = [0, 1, 2, 3].with(lane, 4 + lane) as [number, number, number, number];
  return vector(lanes, dtype, [shuffle32(before, one, kept)]);
}

/**
 * The elements at `addresses`, one per lane from the first (at most lanes.count), all at the same `offset`; further lanes
 * hold anything. Elements of 8 and 16 bits are made lanes of at once, so that this is cheaper than `loadLane` for each.
 */
export function gatherLanes(lanes: Lanes, dtype: DType, addresses: readonly Address[], offset: number): Vector {
  const [first, ...rest] = addresses as [Address, ...Address[]];
  if (lanes.count === 1) return loadSplat(lanes, dtype, first, offset);
  if (dtype === "float64") {
    const part = (low: Address | undefined, high: Address | undefined): Part => {
      if (!low) return lanes.f64.constant(0);
      const zero = v128.load64Zero(low, offset);
      return high ? v128.load64Lane(high, zero, 1, offset) : zero;
    };
    return vector(lanes, dtype, [part(addresses[0], addresses[1]), part(addresses[2], addresses[3])]);
  }
  // The splat makes the high bytes of every lane 0.
  const start =
    bytesPerElement(dtype) === 4
      ? v128.load32Zero(first, offset)
      : i32x4.splat(scalar(dtype, first, offset) as Address);
  const raw = rest.reduce((all, address, index) => {
    const lane = index + 1;
    if (bytesPerElement(dtype) === 4) return v128.load32Lane(address, all, lane, offset);
    return dtype === "bool"
      ? v128.load8Lane(address, all, 4 * lane, offset)
      : v128.load16Lane(address, all, 2 * lane, offset);
  }, start);
  return vector(lanes, dtype, [decoded(lanes, dtype, raw)]);
}
