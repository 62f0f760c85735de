/** How many float32 multiply-adds threads do when they do nothing else: all operands in registers, none waits for another. */
import { type FunctionBuilder, f32, f32x4, i32, type Local } from "@thalweg/wasm/emit";
import { alone, type Crew, timed } from "./crew.ts";
import { instantiate, moduleOf } from "./engine.ts";

/** One kind of arithmetic to measure. */
export interface Arithmetic {
  readonly lanes: 1 | 4;
  /** Writes the loop; `steps` turns of it are between two tests of its count. */
  write(f: FunctionBuilder, chains: number): void;
}

/** Steps between two tests of the count, so that counting costs next to nothing. */
const unrolled = 4;

/** Parameters: count, a multiple of `unrolled`; m and a. */
const [count, m, a] = [0, 1, 2];

function repeat(f: FunctionBuilder, step: () => void): void {
  const left = f.parameter(count, "i32");
  f.loop((again) => {
    for (let i = 0; i < unrolled; i++) step();
    f.set(left, i32.sub(left, unrolled));
    f.brIf(again, left);
  });
}

const indices = (chains: number): number[] => Array.from({ length: chains }, (_, i) => i);

export const scalar: Arithmetic = {
  lanes: 1,
  write(f, chains) {
    const [multiplier, addend] = [f.parameter(m, "f32"), f.parameter(a, "f32")];
    const values = indices(chains).map((i) => {
      const value = f.local("f32");
      f.set(value, f32.const(i));
      return value;
    });
    repeat(f, () => {
      for (const value of values) f.set(value, f32.add(f32.mul(value, multiplier), addend));
    });
    const total = f.local("f32");
    for (const value of values) f.set(total, f32.add(total, value));
    f.return(total);
  },
};

function vectors(
  step: (x: Local<"v128">, m: Local<"v128">, a: Local<"v128">) => ReturnType<typeof f32x4.add>,
): Arithmetic {
  return {
    lanes: 4,
    write(f, chains) {
      const multiplier = f.let(f32x4.splat(f.parameter(m, "f32")));
      const addend = f.let(f32x4.splat(f.parameter(a, "f32")));
      const values = indices(chains).map((i) => {
        const value = f.local("v128");
        f.set(value, f32x4.splat(i));
        return value;
      });
      repeat(f, () => {
        for (const value of values) f.set(value, step(value, multiplier, addend));
      });
      const total = f.local("f32");
      for (const value of values) {
        for (let lane = 0; lane < 4; lane++) f.set(total, f32.add(total, f32x4.extractLane(value, lane)));
      }
      f.return(total);
    },
  };
}

export const simd = vectors((x, m, a) => f32x4.add(f32x4.mul(x, m), a));
/** x·m + a in one instruction; part of WebAssembly's relaxed SIMD, which not every engine has. */
export const relaxed = vectors((x, m, a) => f32x4.relaxedMadd(x, m, a));

/**
 * (count, m, a) → sum of all lanes of x₀ … after x_i = i, count times x_i = x_i · m + a.
 * With `chains` of them independent of each other: a multiplication and an addition take about 8 cycles and a processor
 * starts up to two of each per cycle, but with more than there are registers (16 on x86-64) they go to memory.
 */
export const multiplyAddModule = (arithmetic: Arithmetic, chains: number): Uint8Array =>
  moduleOf(["i32", "f32", "f32"], ["f32"], (f) => arithmetic.write(f, chains));

/** How many independent chains are tried; the best counts. */
const chainCounts = [8, 10, 12] as const;

/** Steps per call: about half a millisecond, and few enough that adding ones is exact. */
const steps = 2 ** 18;

/** Calls between two meetings of a crew, which take microseconds. */
const calls = 4;

/** GFLOP/s of all threads together, a multiply-add as two operations; undefined where the engine does not have the instructions. */
export function multiplyAddGflops(
  arithmetic: Arithmetic,
  milliseconds: number,
  crew: Crew = alone,
): number | undefined {
  let best: number | undefined;
  for (const chains of chainCounts) {
    const run = instantiate(multiplyAddModule(arithmetic, chains));
    if (!run) return undefined;
    const expected = arithmetic.lanes * (chains * steps + (chains * (chains - 1)) / 2);
    const start = performance.now();
    do {
      let sum = 0;
      const elapsed = timed(crew, () => {
        for (let i = 0; i < calls; i++) sum = run(steps, 1, 1);
      });
      // Its terms are exact, their sum rounded; a loop that was cut short would be far off.
      if (Math.abs(sum - expected) > 1e-5 * expected) {
        throw new Error(`multiply-add kernel: expected ${expected}, computed ${sum}`);
      }
      const gflops = (2 * arithmetic.lanes * chains * steps * calls * crew.size) / (1e6 * elapsed);
      best = Math.max(best ?? 0, gflops);
    } while (crew.agree(performance.now() - start < milliseconds / chainCounts.length));
  }
  return best;
}
