/** torch.remainder of floats: of the sign of the divisor. */
import type { Code } from "../code.ts";
import type { Expression, Local } from "../emit/index.ts";
import type { Lanes, Mask, Part, Vector } from "../lanes/index.ts";
import { eachElement, kept, onlyPart } from "./parts.ts";

/** The remainder of float64 numbers is exact, so that of float32 numbers is rounded once. */
export function floatRemainder(code: Code, lanes: Lanes, a: Vector, b: Vector): Vector {
  const mod = code.imported("mod");
  if (a.dtype === "float64") return kept(lanes, a.dtype, eachElement(lanes, mod, a.parts, b.parts));
  const [x, y] = [a, b].map((vector) => kept(lanes, "float64", lanes.widen(onlyPart(vector))).parts) as [
    Part[],
    Part[],
  ];
  if (lanes.count === 1) return kept(lanes, a.dtype, [lanes.narrow(eachElement(lanes, mod, x, y))]);
  const { f, mask } = lanes;
  const attempts = x.map((part, index) => attempt(lanes, part, y[index] as Part));
  const results = attempts.map(({ value }) => f.let(value as Expression<"v128">));
  const all = attempts.map(({ exact }) => exact).reduce(mask.and);
  f.if(mask.any(mask.not(all)), () => {
    for (const [index, part] of eachElement(lanes, mod, x, y).entries()) {
      f.set(results[index] as Local<"v128">, part as Expression<"v128">);
    }
  });
  return kept(lanes, a.dtype, [lanes.narrow(results)]);
}

/**
 * The remainder of two float32 numbers that were widened, and whether it is exact: where the quotient is so small that
 * float64 tells its whole part and holds that part's product with the divisor.
 */
function attempt({ f, f64, i64, mask }: Lanes, a: Part, b: Part): { readonly value: Part; readonly exact: Mask } {
  const whole = f.let(f64.trunc(f64.div(a, b)));
  const difference = f.let(f64.sub(a, f64.mul(whole, b)));
  // An infinite divisor leaves NaN here.
  const exact = f.let(mask.and(f64.lt(f64.abs(whole), f64.constant(2 ** 29)), f64.eq(difference, difference)));
  // A remainder has the sign of the dividend, zero too.
  const rest = f.let(i64.or(f64.abs(difference), i64.and(a, i64.constant(-(2n ** 63n)))));
  const opposed = f64.lt(f64.mul(rest, b), f64.constant(0));
  return { value: f64.select(opposed, f64.add(rest, b), rest), exact };
}
