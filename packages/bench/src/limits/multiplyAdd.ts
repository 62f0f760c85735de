/** How many float32 multiply-adds a thread does when it does nothing else: all operands in registers, none waits for another. */
import { assemble, instantiate, op, type ValueType } from "./wasm.ts";

/** One kind of arithmetic to measure. */
export interface Arithmetic {
  readonly type: "f32" | "v128";
  readonly lanes: 1 | 4;
  /** With x, m and a on the stack in this order: leaves x·m + a. The order suits fused instructions. */
  readonly fused: boolean;
}

export const scalar: Arithmetic = { type: "f32", lanes: 1, fused: false };
export const simd: Arithmetic = { type: "v128", lanes: 4, fused: false };
/** x·m + a in one instruction; part of WebAssembly's relaxed SIMD, which not every engine has. */
export const relaxed: Arithmetic = { type: "v128", lanes: 4, fused: true };

/**
 * (count, m, a) → sum of all lanes of x₀ … after x_i = i, count times x_i = x_i · m + a.
 * With `chains` of them independent of each other: a multiplication and an addition take about 8 cycles and a processor
 * starts up to two of each per cycle, but with more than there are registers (16 on x86-64) they go to memory.
 */
export function multiplyAddModule({ type, lanes, fused }: Arithmetic, chains: number): Uint8Array<ArrayBuffer> {
  const vector = type === "v128";
  const [count, m, a, multiplier, addend, total, first] = [0, 1, 2, 3, 4, 5, 6];
  const indices = Array.from({ length: chains }, (_, i) => i);
  const spread = vector ? op.f32x4Splat : [];
  const step = indices.flatMap((i) => [
    ...op.get(first + i),
    ...op.get(multiplier),
    ...(fused
      ? [...op.get(addend), ...op.f32x4RelaxedMadd]
      : [...(vector ? op.f32x4Mul : op.f32Mul), ...op.get(addend), ...(vector ? op.f32x4Add : op.f32Add)]),
    ...op.set(first + i),
  ]);
  const sumLanes = (local: number) =>
    Array.from({ length: lanes }, (_, lane) => [
      ...op.get(local),
      ...(vector ? op.f32x4ExtractLane(lane) : []),
      ...op.get(total),
      ...op.f32Add,
      ...op.set(total),
    ]).flat();
  return assemble({
    parameters: ["i32", "f32", "f32"],
    result: "f32",
    locals: [type, type, "f32", ...indices.map((): ValueType => type)],
    body: [
      ...[...op.get(m), ...spread, ...op.set(multiplier)],
      ...[...op.get(a), ...spread, ...op.set(addend)],
      ...indices.flatMap((i) => [...op.f32Const(i), ...spread, ...op.set(first + i)]),
      // Four steps per turn, so that counting costs next to nothing; `count` is a multiple of four.
      ...op.loopWhile([
        ...[...step, ...step, ...step, ...step],
        ...[...op.get(count), ...op.i32Const(4), ...op.i32Sub, ...op.tee(count)],
      ]),
      ...indices.flatMap((i) => sumLanes(first + i)),
      ...op.get(total),
    ],
  });
}

/** How many independent chains are tried; the best counts. */
const chainCounts = [8, 10, 12] as const;

/** Steps per call: about a millisecond, and few enough that adding ones is exact. */
const steps = 2 ** 18;

/** GFLOP/s, a multiply-add as two operations; undefined where the engine does not have the instructions. */
export function multiplyAddGflops(arithmetic: Arithmetic, milliseconds: number): number | undefined {
  let best: number | undefined;
  for (const chains of chainCounts) {
    const run = instantiate(multiplyAddModule(arithmetic, chains));
    if (!run) return undefined;
    const expected = arithmetic.lanes * (chains * steps + (chains * (chains - 1)) / 2);
    const start = performance.now();
    while (performance.now() - start < milliseconds / chainCounts.length) {
      const before = performance.now();
      const sum = run(steps, 1, 1);
      const elapsed = performance.now() - before;
      // Its terms are exact, their sum rounded; a loop that was cut short would be far off.
      if (Math.abs(sum - expected) > 1e-5 * expected) {
        throw new Error(`multiply-add kernel: expected ${expected}, computed ${sum}`);
      }
      const gflops = (2 * arithmetic.lanes * chains * steps) / (1e6 * elapsed);
      best = Math.max(best ?? 0, gflops);
    }
  }
  return best;
}
