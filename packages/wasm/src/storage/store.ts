/** Vectors to memory. */
import { bytesPerElement, type DType } from "@thalweg/core/backend";
import { type Effect, type Expression, f32, f64, i8x16, i16x8, i32, type V128, v128 } from "../emit/index.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { halfFromFloat } from "./half.ts";

type Address = Expression<"i32">;

/** A 32-bit lane with what memory holds of it in its low bytes. */
function encoded(lanes: Lanes, dtype: DType, value: Part): Part {
  switch (dtype) {
    case "bfloat16":
    case "float16":
      return lanes.f.let(halfFromFloat(lanes, dtype, value));
    case "bool":
      return lanes.f.let(lanes.mask.toInt(value));
    default:
      return value;
  }
}

function storeScalar(lanes: Lanes, dtype: DType, address: Address, offset: number, value: Part): Effect {
  const stored = encoded(lanes, dtype, value);
  switch (dtype) {
    case "float32":
      return f32.store(address, stored as Expression<"f32">, offset);
    case "float64":
      return f64.store(address, stored as Expression<"f64">, offset);
    case "int32":
    case "uint32":
      return i32.store(address, stored as Expression<"i32">, offset);
    case "bool":
      return i32.store8(address, stored as Expression<"i32">, offset);
    default:
      return i32.store16(address, stored as Expression<"i32">, offset);
  }
}

const laneStores = { 1: v128.store8Lane, 2: v128.store16Lane, 4: v128.store32Lane, 8: v128.store64Lane } as const;

/** The first `bytes` (1 … 16) bytes of a vector, by as few stores as that takes. */
function storeBytes(lanes: Lanes, address: Address, offset: number, value: V128, bytes: number): void {
  if (bytes === 16) {
    lanes.f.do(v128.store(address, value, offset));
    return;
  }
  let done = 0;
  for (const size of [8, 4, 2, 1] as const) {
    if (bytes - done < size) continue;
    lanes.f.do(laneStores[size](address, value, done / size, offset + done));
    done += size;
  }
}

/**
 * The first `count` (1 … lanes.count) lanes, to neighbouring elements from `offset` bytes (not negative) behind `address`;
 * no byte beyond them is touched. `address` is computed several times: a local.
 */
export function storeVector(
  lanes: Lanes,
  dtype: DType,
  address: Address,
  offset: number,
  value: Vector,
  count: number,
): void {
  const [first, second] = value.parts as [V128, V128?];
  if (lanes.count === 1) {
    lanes.f.do(storeScalar(lanes, dtype, address, offset, first));
    return;
  }
  if (second) {
    storeBytes(lanes, address, offset, first, 8 * Math.min(count, 2));
    if (count > 2) storeBytes(lanes, address, offset + 16, second, 8 * (count - 2));
    return;
  }
  const width = bytesPerElement(dtype);
  const lanesOfMemory = encoded(lanes, dtype, first) as V128;
  if (width === 4) {
    storeBytes(lanes, address, offset, lanesOfMemory, 4 * count);
    return;
  }
  // Unsigned: what is packed lies in 0 … 65535.
  const halves = i16x8.narrowI32x4U(lanesOfMemory, lanesOfMemory);
  const packed = count === 1 ? lanesOfMemory : lanes.f.let(width === 2 ? halves : i8x16.narrowI16x8U(halves, halves));
  storeBytes(lanes, address, offset, packed, width * count);
}

/** Lane `lane` to one element. */
export function storeLane(
  lanes: Lanes,
  dtype: DType,
  address: Address,
  offset: number,
  value: Vector,
  lane: number,
): void {
  scatterLanes(
    lanes,
    dtype,
    Array.from({ length: lane + 1 }, (_, at) => (at === lane ? address : undefined)),
    offset,
    value,
  );
}

/** Lane i to the element at addresses[i], if there is one, all at the same `offset`. */
export function scatterLanes(
  lanes: Lanes,
  dtype: DType,
  addresses: readonly (Address | undefined)[],
  offset: number,
  value: Vector,
): void {
  const [first] = value.parts as [Part];
  if (lanes.count === 1) {
    if (addresses[0]) lanes.f.do(storeScalar(lanes, dtype, addresses[0], offset, first));
    return;
  }
  const width = bytesPerElement(dtype) as 1 | 2 | 4 | 8;
  const parts = (width === 8 ? value.parts : [encoded(lanes, dtype, first)]) as readonly V128[];
  // Narrow elements lie in the low bytes of lanes of 4.
  const lanesOfPart = width === 8 ? 2 : 4;
  const step = width === 8 ? 1 : 4 / width;
  for (const [lane, address] of addresses.entries()) {
    if (!address) continue;
    const part = parts[Math.floor(lane / lanesOfPart)] as V128;
    lanes.f.do(laneStores[width](address, part, (lane % lanesOfPart) * step, offset));
  }
}
