/** The public functions that make optimizers: one name, and the meanings it has in different libraries. */
import { ArgumentError } from "../graph/errors.ts";
import type { OptimizerParameters } from "./groups.ts";
import { type Optimizer, type OptimizerOptions, optimizer } from "./optimizer.ts";
import type { Convention, Rule } from "./rule.ts";

/** Options of a name by convention; `torch` stands for the default, whoever the authors are, unless another is said to. */
type OptionsByConvention = {
  readonly torch: object;
  readonly keras?: object;
  readonly optax?: object;
  readonly original?: object;
};

type Rules<ByConvention extends OptionsByConvention> = {
  readonly [C in keyof ByConvention]: Rule<never, ByConvention[C] & object>;
};

/** Makes an optimizer by `parameters` and options; `convention` says whose meaning of the name, and so which options. */
export interface NamedOptimizer<
  ByConvention extends OptionsByConvention,
  Default extends keyof ByConvention = "torch",
> {
  <C extends keyof ByConvention = Default>(
    parameters: OptimizerParameters<ByConvention[C] & object>,
    options?: OptimizerOptions<ByConvention[C] & object> & { readonly convention?: C | undefined },
  ): Optimizer<ByConvention[C] & object>;
  /** The rules behind the name. */
  readonly rules: Readonly<Partial<Record<Convention, Rule<string, object>>>>;
}

/** Whatever optimizer it makes: for names that are known at run time only. Options are checked as they come. */
export interface AnyNamedOptimizer {
  (
    parameters: OptimizerParameters<object>,
    options?: OptimizerOptions<object> & { readonly convention?: Convention; readonly [option: string]: unknown },
  ): Optimizer;
  readonly rules: Readonly<Partial<Record<Convention, Rule<string, object>>>>;
}

/** A function that makes optimizers by one of `rules`; `standard` where no convention is named. Default `torch`. */
export function namedOptimizer<
  ByConvention extends OptionsByConvention,
  Default extends Convention & keyof ByConvention = "torch",
>(rules: Rules<ByConvention>, standard: Convention = "torch"): NamedOptimizer<ByConvention, Default> {
  const known = rules as unknown as Readonly<Partial<Record<Convention, Rule<string, object>>>>;
  const make = (
    parameters: OptimizerParameters<object>,
    options: OptimizerOptions<object> & { convention?: Convention } = {},
  ) => {
    const { convention = standard } = options;
    const rule = Object.hasOwn(known, convention) ? known[convention] : undefined;
    if (!rule) {
      const { name } = known.torch as Rule<string, object>;
      throw new ArgumentError(
        name,
        `convention must be one of ${Object.keys(known).join(", ")}, got ${String(convention)}`,
      );
    }
    return optimizer(rule, parameters, options);
  };
  return Object.assign(make, { rules: known }) as unknown as NamedOptimizer<ByConvention, Default>;
}
