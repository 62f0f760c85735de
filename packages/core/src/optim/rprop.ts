/**
 * Resilient backpropagation: steps by the sign of the gradient, each element with a step size of its own. Riedmiller &
 * Braun 1993, "A direct adaptive method for faster backpropagation learning", https://doi.org/10.1109/ICNN.1993.298623.
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, greater, less, maximum, minimum, mul, sign, where } from "../tensor/elementwise.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";

export interface RpropOptions {
  /** Factors on the step size where the gradient changed sign, and where it kept it. Default [0.5, 1.2]. */
  etas: readonly [number, number];
  /** Smallest and largest step size. Default [1e-6, 50]. */
  stepSizes: readonly [number, number];
}

const isPair = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);

/**
 *     s ← lr before the first update
 *     s ← clamp(s · (etas[1] where g h > 0, etas[0] where g h < 0, else 1), stepSizes)
 *     g ← 0 where g h < 0
 *     p ← p - s sign(g),  h ← g
 */
export const rpropRule: Rule<"stepSize" | "previous", RpropOptions> = {
  name: "rprop",
  lr: 1e-2,
  defaults: { etas: [0.5, 1.2], stepSizes: [1e-6, 50] },
  check({ etas, stepSizes }) {
    if (!isPair(etas) || !(etas[0] > 0 && etas[0] < 1 && etas[1] > 1)) {
      throw new ArgumentError("rprop", `etas must be [below, above] with 0 < below < 1 < above, got [${etas}]`);
    }
    if (!isPair(stepSizes) || !(stepSizes[0] >= 0 && stepSizes[0] <= stepSizes[1])) {
      throw new ArgumentError(
        "rprop",
        `stepSizes must be [least, most] with 0 ≤ least ≤ most, both finite, got [${stepSizes}]`,
      );
    }
  },
  exactState: ["stepSize", "previous"],
  initialState: (parameter) => ({ stepSize: zerosLike(parameter), previous: zerosLike(parameter) }),
  update({ parameter, gradient, state, scalar }) {
    // The first step size is the rate; a rate set later changes nothing.
    const first = scalar("first", ({ lr, step }) => (step === 1 ? lr : 0));
    const shrink = scalar("shrink", ({ options }) => options.etas[0]);
    const grow = scalar("grow", ({ options }) => options.etas[1]);
    const least = scalar("least", ({ options }) => options.stepSizes[0]);
    const most = scalar("most", ({ options }) => options.stepSizes[1]);
    // Of signs, as the product of two small gradients may be 0.
    const product = mul(sign(gradient), sign(state.previous));
    const turned = less(product, 0);
    const factor = where(greater(product, 0), grow, where(turned, shrink, 1));
    const stepSize = minimum(maximum(mul(add(state.stepSize, first), factor), least), most);
    const direction = where(turned, 0, gradient);
    return {
      ...descended(parameter, mul(stepSize, sign(direction))),
      state: { stepSize, previous: direction },
    };
  },
};

/**
 * Resilient backpropagation, as torch.optim.Rprop; lr 0.01 is the first step size of every element, which then grows and
 * shrinks by itself. For full-batch training, where the sign of a gradient can be trusted; the noise of minibatches
 * misleads it. Costs two tensors of state per parameter.
 */
export const rprop = namedOptimizer<{ torch: RpropOptions }>({ torch: rpropRule });
