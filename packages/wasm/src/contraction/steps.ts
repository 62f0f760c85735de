/** Loops over k, the axis that is summed. */
import { type FunctionBuilder, i32, type Local } from "../emit/index.ts";

/** `body(steps)` as often as it takes for `k` steps in all: `unroll` at a time, then the rest one by one. */
export function forSteps(
  f: FunctionBuilder,
  k: number | Local<"i32">,
  unroll: number,
  body: (steps: number) => void,
): void {
  const turns = (left: Local<"i32">, steps: number): void =>
    f.loop((again) => {
      body(steps);
      f.set(left, i32.sub(left, steps));
      f.brIf(again, steps === 1 ? left : i32.geS(left, steps));
    });
  const left = f.local("i32");
  if (typeof k === "number") {
    const whole = k - (k % unroll);
    if (whole === unroll) body(unroll);
    else if (whole > 0) {
      f.set(left, i32.const(whole));
      turns(left, unroll);
    }
    const rest = k - whole;
    if (rest === 1 || (rest > 0 && whole === 0)) body(rest);
    else if (rest > 0) {
      f.set(left, i32.const(rest));
      turns(left, 1);
    }
    return;
  }
  f.set(left, k);
  if (unroll > 1) f.if(i32.geS(left, unroll), () => turns(left, unroll));
  f.if(left, () => turns(left, 1));
}
