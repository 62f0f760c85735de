/**
 * Functions of float64 that WebAssembly does not have. Those of JavaScript's Math are imported; the others are put together
 * from them as core's scalar.ts defines them, so that float64 gives what the reference gives.
 */
import { erfCoefficients } from "@thalweg/core/backend";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  f64,
  i64,
  type ModuleBuilder,
} from "./emit/index.ts";

/** Imported from the module `math`, with the number of their arguments. Workers import the same. */
export const mathImports = {
  exp: 1,
  log: 1,
  log1p: 1,
  expm1: 1,
  sin: 1,
  cos: 1,
  tan: 1,
  tanh: 1,
  power: 2,
  modulo: 2,
} as const;
export type MathImport = keyof typeof mathImports;
export type MathReferences = Readonly<Record<MathImport, FunctionReference>>;

/** Every function of one or two float64 numbers there is. */
export type DoubleFunction =
  | Exclude<MathImport, "power" | "modulo">
  | "sigmoid"
  | "softplus"
  | "erf"
  | "pow"
  /** torch.remainder: the sign of the divisor. */
  | "mod";

type Double = Expression<"f64">;

export function importMath(module: ModuleBuilder): MathReferences {
  return Object.fromEntries(
    Object.entries(mathImports).map(([name, count]) => [
      name,
      module.importFunction("math", name, { parameters: count === 1 ? ["f64"] : ["f64", "f64"], results: ["f64"] }),
    ]),
  ) as unknown as MathReferences;
}

const polynomial = (x: Double, coefficients: readonly number[]): Double =>
  coefficients.reduceRight<Double>((sum, c) => f64.add(f64.mul(sum, x), c), f64.const(0));

function sigmoid(f: FunctionBuilder, { exp }: MathReferences): void {
  const x = f.parameter(0, "f64");
  const e = f.let(call("f64", exp, [f64.neg(f64.abs(x))]));
  f.return(f64.div(f64.select(f64.lt(x, 0), e, 1), f64.add(e, 1)));
}

function softplus(f: FunctionBuilder, { exp, log1p }: MathReferences): void {
  const x = f.parameter(0, "f64");
  const small = call("f64", log1p, [call("f64", exp, [f64.neg(f64.abs(x))])]);
  f.return(f64.add(f64.max(x, 0), small));
}

function pow(f: FunctionBuilder, { power }: MathReferences): void {
  const [a, b] = [f.parameter(0, "f64"), f.parameter(1, "f64")];
  // C99, unlike JavaScript: 1^y = 1 for every y, (-1)^±∞ = 1.
  f.if(f64.eq(a, 1), () => f.return(f64.const(1)));
  f.if(f64.eq(a, -1), () => {
    f.if(f64.eq(f64.abs(b), Number.POSITIVE_INFINITY), () => f.return(f64.const(1)));
  });
  f.return(call("f64", power, [a, b]));
}

function mod(f: FunctionBuilder, { modulo }: MathReferences): void {
  const [a, b] = [f.parameter(0, "f64"), f.parameter(1, "f64")];
  const rest = f.let(call("f64", modulo, [a, b]));
  f.if(f64.ne(rest, 0), () => {
    f.if(f64.lt(f64.mul(f64.copysign(f64.const(1), rest), f64.copysign(f64.const(1), b)), 0), () =>
      f.return(f64.add(rest, b)),
    );
  });
  f.return(rest);
}

function erf(f: FunctionBuilder, { exp }: MathReferences): void {
  const { efx, erx, pp, qq, pa, qa, ra, sa, rb, sb } = erfCoefficients;
  const x = f.parameter(0, "f64");
  f.if(f64.ne(x, x), () => f.return(x));
  const a = f.let(f64.abs(x));
  f.if(f64.lt(a, 0.84375), () => {
    f.if(f64.lt(a, 2 ** -28), () => f.return(f64.add(x, f64.mul(efx, x))));
    const z = f.let(f64.mul(x, x));
    f.return(f64.add(x, f64.mul(x, f64.div(polynomial(z, pp), polynomial(z, qq)))));
  });
  f.if(f64.lt(a, 1.25), () => {
    const s = f.let(f64.sub(a, 1));
    f.return(f64.copysign(f64.add(erx, f64.div(polynomial(s, pa), polynomial(s, qa))), x));
  });
  f.if(f64.ge(a, 6), () => f.return(f64.copysign(f64.const(1), x)));
  const s = f.let(f64.div(1, f64.mul(a, a)));
  const ratio = f.local("f64");
  f.if(
    f64.lt(a, 1 / 0.35),
    () => f.set(ratio, f64.div(polynomial(s, ra), polynomial(s, sa))),
    () => f.set(ratio, f64.div(polynomial(s, rb), polynomial(s, sb))),
  );
  // The low half of its fraction cleared, so that its square is exact.
  const z = f.let(f64.reinterpretI64(i64.and(i64.reinterpretF64(a), 0xffffffff00000000n)));
  const square = call("f64", exp, [f64.sub(f64.neg(f64.mul(z, z)), 0.5625)]);
  const rest = call("f64", exp, [f64.add(f64.mul(f64.sub(z, a), f64.add(z, a)), ratio)]);
  const tail = f.let(f64.div(f64.mul(square, rest), a));
  f.return(f64.copysign(f64.sub(1, tail), x));
}

const composed = { sigmoid, softplus, erf, pow, mod };

/** The function of that name, which gives what core's scalar operation gives. */
export function doubleFunction(module: ModuleBuilder, math: MathReferences, name: DoubleFunction): FunctionReference {
  if (name in mathImports) return math[name as MathImport];
  const build = composed[name as keyof typeof composed];
  const parameters = name === "pow" || name === "mod" ? (["f64", "f64"] as const) : (["f64"] as const);
  return module.shared(`double ${name}`, parameters, ["f64"], (f) => build(f, math));
}
