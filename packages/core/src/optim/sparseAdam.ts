/**
 * Adam for tables of which a step looks up some rows. Kingma & Ba 2014, https://arxiv.org/abs/1412.6980, in the lazy form
 * of torch.optim.SparseAdam.
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, sqrt, square, sub, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkNonNegative } from "./checks.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";

export interface SparseAdamOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the root before its correction. Default 1e-8. */
  eps: number;
}

/**
 * In the rows the gradient lists, those that come several times added up:
 *
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     p ← p - lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + eps)
 *
 * Other rows keep value and moments; t counts every step of the parameter, whichever rows it lists.
 */
export const sparseAdamRule: Rule<"expAvg" | "expAvgSq", SparseAdamOptions> = {
  name: "sparseAdam",
  lr: 1e-3,
  rowSparse: true,
  defaults: { betas: [0.9, 0.999], eps: 1e-8 },
  check({ betas, eps }) {
    checkBetas("sparseAdam", betas);
    checkNonNegative("sparseAdam", "eps", eps);
  },
  initialState: (parameter) => ({ expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) }),
  update(context) {
    const { parameter, gradient, rows, state, scalar } = context;
    const inRows = (now: Tensor, before: Tensor): Tensor => (rows ? where(rows, now, before) : now);
    const m = runningAverage(context, "beta1", ({ betas }) => betas[0], state.expAvg, gradient);
    const v = runningAverage(context, "beta2", ({ betas }) => betas[1], state.expAvgSq, square(gradient));
    const stepSize = scalar(
      "stepSize",
      ({ lr, step, options: { betas } }) => (lr * Math.sqrt(1 - betas[1] ** step)) / (1 - betas[0] ** step),
    );
    const eps = scalar("eps", ({ options }) => options.eps);
    return {
      parameter: inRows(sub(parameter, mul(stepSize, div(m, add(sqrt(v), eps)))), parameter),
      state: { expAvg: inRows(m, state.expAvg), expAvgSq: inRows(v, state.expAvgSq) },
    };
  },
};

/**
 * Adam that changes moments and parameter only in the rows a gradient lists, as torch.optim.SparseAdam: for large
 * embeddings, whose rare rows plain Adam would move by old momentum at every step. `lr` 1e-3. State: two tensors like the
 * parameter. `minimize` takes the gradient of a parameter that the loss only looks rows up in (`embedding`, `indexSelect`
 * along axis 0) as sparse in these rows; `update` takes a `SparseGradient`. In any other gradient all rows count as
 * listed. It has one convention, PyTorch's.
 */
export const sparseAdam = namedOptimizer<{ torch: SparseAdamOptions }>({ torch: sparseAdamRule });
