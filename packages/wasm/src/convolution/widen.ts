/** Operands kept in a narrower dtype, brought to float32. */
import { bytesPerElement, type DType } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import { type FunctionBuilder, i32, type Local, type V128, v128 } from "../emit/index.ts";
import { loadVector } from "../storage/index.ts";

/** Elements of a unit: of one of a task's rounds. */
export const widenedElements = 1024;

/** Elements written out in a turn. */
const turn = 16;

/** Units `first` … `end` - 1 of `size` elements in all, the last of them what remains. */
export function writeWidened(
  f: FunctionBuilder,
  code: Code,
  dtype: DType,
  size: number,
  source: Local<"i32">,
  target: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
): void {
  const lanes = code.lanes(f);
  const bytes = bytesPerElement(dtype);
  const from = f.let(i32.add(source, i32.mul(first, bytes * widenedElements)));
  const to = f.let(i32.add(target, i32.mul(first, 4 * widenedElements)));
  const vector = (at: number, count: number): V128 =>
    loadVector(lanes, dtype, from, bytes * at, count).parts[0] as V128;
  const last = f.let(i32.mul(end, widenedElements / turn));
  const whole = Math.floor(size / turn);
  const at = f.local("i32");
  f.for(at, i32.mul(first, widenedElements / turn), f.let(i32.select(i32.ltS(last, whole), last, whole)), 1, () => {
    for (let element = 0; element < turn; element += 4) f.do(v128.store(to, vector(element, 4), 4 * element));
    f.set(from, i32.add(from, bytes * turn));
    f.set(to, i32.add(to, 4 * turn));
  });
  const rest = size % turn;
  if (rest === 0) return;
  f.if(i32.gtS(last, whole), () => {
    for (let element = 0; element < rest; element += 4) {
      const count = Math.min(4, rest - element);
      const values = f.let(vector(element, count));
      if (count === 4) f.do(v128.store(to, values, 4 * element));
      else for (let lane = 0; lane < count; lane++) f.do(v128.store32Lane(to, values, lane, 4 * (element + lane)));
    }
  });
}
