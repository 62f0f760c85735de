/**
 * Stochastic gradient descent with momentum. Robbins & Monro 1951; Polyak 1964 (heavy ball); Nesterov 1983 in the form
 * of Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, mul, sub } from "../tensor/elementwise.ts";
import { checkBoolean, checkNonNegative } from "./checks.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { withL2 } from "./weightDecay.ts";

export interface SgdOptions {
  /** Factor on the buffer; 0 (default) keeps none. */
  momentum: number;
  /** The buffer takes (1 - dampening) of each gradient but the first. Default 0. */
  dampening: number;
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
  /** Look ahead along the buffer; wants momentum > 0 and dampening 0. Default false. */
  nesterov: boolean;
}

/**
 *     g ← g + weightDecay p
 *     b ← g at the first update, momentum b + (1 - dampening) g after
 *     p ← p - lr (g + momentum b) with nesterov, p - lr b without
 */
export const sgdRule: Rule<"momentumBuffer", SgdOptions> = {
  name: "sgd",
  defaults: { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
  check({ momentum, dampening, weightDecay, nesterov }) {
    checkNonNegative("sgd", "momentum", momentum);
    checkNonNegative("sgd", "weightDecay", weightDecay);
    checkBoolean("sgd", "nesterov", nesterov);
    if (typeof dampening !== "number" || !Number.isFinite(dampening)) {
      throw new ArgumentError("sgd", `dampening must be a finite number, got ${String(dampening)}`);
    }
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ArgumentError(
        "sgd",
        `nesterov wants momentum > 0 and dampening 0, got momentum ${momentum} and dampening ${dampening}`,
      );
    }
  },
  initialState: (parameter, { momentum }) => (momentum === 0 ? {} : { momentumBuffer: zerosLike(parameter) }),
  update(context) {
    const { parameter, state, options, lr, scalar } = context;
    const { momentum, dampening, nesterov } = options;
    const g = withL2(context);
    if (momentum === 0) return { parameter: sub(parameter, mul(lr, g)) };
    // The first update is the same expression with other scalars, 0·0 + 1·g, so that it needs no second kernel.
    const keep = scalar("keep", ({ step, options }) => (step === 1 ? 0 : options.momentum));
    const undampened = scalar("undampened", ({ step, options }) => (step === 1 ? 1 : 1 - options.dampening));
    const buffer = add(mul(state.momentumBuffer, keep), dampening === 0 ? g : mul(g, undampened));
    const look = scalar("momentum", ({ options }) => options.momentum);
    const direction = nesterov ? add(g, mul(buffer, look)) : buffer;
    return { parameter: sub(parameter, mul(lr, direction)), state: { momentumBuffer: buffer } };
  },
};

/** Stochastic gradient descent, as torch.optim.SGD. `lr` is required. */
export const sgd = namedOptimizer<{ torch: SgdOptions }>({ torch: sgdRule });
