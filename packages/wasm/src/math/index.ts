/**
 * Functions of float32 that WebAssembly does not have, on lanes. All but those of rare arguments compute every lane by the
 * same few instructions, so a result depends neither on its position nor on its neighbours. Results are within two and a
 * half units in the last place (math.test.ts holds the figures).
 */
import type { Code } from "../code.ts";
import { call, type ValueType } from "../emit/index.ts";
import { type Lanes, type Part, scalarLanes } from "../lanes/index.ts";
import { erf } from "./errorFunction.ts";
import { exp, expm1, sigmoid, tanh } from "./exponential.ts";
import { log, log1p, softplus } from "./logarithm.ts";
import { pow } from "./pow.ts";
import { cos, sin, tan } from "./trigonometric.ts";

export { expOfAtMostZero } from "./exponential.ts";

type Inline = (lanes: Lanes, x: Part) => Part;
type Called = (code: Code, lanes: Lanes, args: readonly Part[]) => Part;

/** Short ones are written where they are used: a call would take all vectors out of their registers. */
const inline = { exp, expm1, log, log1p, sigmoid, softplus, tanh, erf } satisfies Record<string, Inline>;
/** Long ones become functions of the module. */
const called = {
  sin: (code, lanes, [x]) => sin(code, lanes, x as Part),
  cos: (code, lanes, [x]) => cos(code, lanes, x as Part),
  tan: (code, lanes, [x]) => tan(code, lanes, x as Part),
  pow: (_code, lanes, [a, b]) => pow(lanes, a as Part, b as Part),
} satisfies Record<string, Called>;

export type UnaryMath = keyof typeof inline | "sin" | "cos" | "tan";

/** `name` of float32 operands, which are locals; the result is one, too. */
export function mathFunction(code: Code, lanes: Lanes, name: UnaryMath | "pow", ...args: Part[]): Part {
  if (name in inline) return inline[name as keyof typeof inline](lanes, args[0] as Part);
  const type = lanes.count === 4 ? "v128" : "f32";
  const f = code.module.shared(`math ${name} ${type}`, new Array<ValueType>(args.length).fill(type), [type], (body) => {
    const inner = lanes.count === 4 ? code.lanes(body) : scalarLanes(body);
    body.return(called[name as keyof typeof called](code, inner, body.parameters));
  });
  return lanes.f.let(call(type, f, args));
}
