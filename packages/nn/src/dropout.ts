/** Dropout. Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting". */
import { bernoulli, guard, mul, type Tensor } from "@thalweg/core";
import { checkProbability } from "./checks.ts";
import { type Module, module } from "./module.ts";

/**
 * Zeros elements with probability p and scales the others by 1 / (1 - p); fresh at every run of a compiled function.
 */
export function applyDropout(x: Tensor, p: number): Tensor {
  if (p === 0) return x;
  const scale = p === 1 ? 0 : 1 / (1 - p);
  return mul(x, mul(bernoulli(1 - p, { shape: x.shape, dtype: x.dtype }), scale));
}

/** Drops elements with probability p in training; does nothing in evaluation. As torch.nn.Dropout. */
export function dropout(p = 0.5): Module {
  checkProbability("dropout", "p", p);
  const self: Module = module(
    {},
    (x: Tensor) => {
      const { training } = self;
      guard(() => self.training === training);
      return training ? applyDropout(x, p) : x;
    },
    "dropout",
  );
  return self;
}
