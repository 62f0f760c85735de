/** Loads of four elements that are equally far apart. */
import { type Local, shuffle32, type V128, v128 } from "../emit/index.ts";

/**
 * Elements 0, step, 2·step, 3·step from `address` + `offset` (bytes), of which the first `count` are there: nothing behind
 * them is read. Lanes beyond hold anything.
 */
export function gatherStepped(address: Local<"i32">, offset: number, step: number, count = 4): V128 {
  if (count === 4 && step === 1) return v128.load(address, offset);
  if (count === 4 && step === 2) {
    return shuffle32(v128.load(address, offset), v128.load(address, offset + 12), [0, 2, 5, 7]);
  }
  let vector = v128.load32Zero(address, offset);
  for (let lane = 1; lane < count; lane++) {
    vector = v128.load32Lane(address, vector, lane, offset + 4 * step * lane);
  }
  return vector;
}
