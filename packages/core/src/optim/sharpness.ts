/**
 * Sharpness-aware minimization: descend along the gradient taken at the worst point nearby. SAM: Foret et al. 2020,
 * https://arxiv.org/abs/2010.01412 (algorithm 1). ASAM: Kwon et al. 2021, https://arxiv.org/abs/2102.11600 (algorithm 1).
 */
import { abs, add, div, mul } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBoolean, checkNonNegative } from "./checks.ts";
import { globalNorm } from "./globalNorm.ts";
import type { SharedGroup, UpdateContext } from "./rule.ts";
import { wrapper } from "./wrapper.ts";

type Member = UpdateContext<string, object>;

/** p + rho scale(p)·direction(g) / (‖direction(g)‖ + eps), over all parameters together. */
function perturbed(
  groups: readonly SharedGroup<string, object>[],
  rho: number,
  eps: number,
  direction: (member: Member) => Tensor,
  scaled: (member: Member, direction: Tensor) => Tensor,
): Tensor[][] {
  const directions = groups.map(({ members }) => members.map(direction));
  const length = add(globalNorm(directions.flat()), eps);
  return groups.map(({ members }, g) =>
    members.map((member, i) => {
      const along = scaled(member, directions[g]?.[i] as Tensor);
      return add(member.parameter, mul(along, div(rho, length)));
    }),
  );
}

export interface SamOptions {
  /** Radius of the neighbourhood. Default 0.05. */
  rho: number;
  /** Scale the neighbourhood by the size of each weight. Default false. */
  adaptive: boolean;
}

/**
 * Takes the gradient where the loss is largest nearby, to first order:
 *
 *     p + rho g / (‖g‖ + 1e-12),  adaptive: p + rho p² g / (‖p g‖ + 1e-12)
 *
 * The norm is over all parameters. Each step costs two gradients, both in one Program; no state. Use `minimize`: an update
 * with gradients computed elsewhere has no loss to look at again.
 */
export const sam = wrapper<SamOptions>({
  name: "sam",
  defaults: { rho: 0.05, adaptive: false },
  check({ rho, adaptive }) {
    checkNonNegative("sam", "rho", rho);
    checkBoolean("sam", "adaptive", adaptive);
  },
  transform: (rule, { rho, adaptive }) => ({
    ...rule,
    perturb: (groups) =>
      perturbed(
        groups,
        rho,
        1e-12,
        ({ gradient, parameter }) => (adaptive ? mul(abs(parameter), gradient) : gradient),
        ({ parameter }, direction) => (adaptive ? mul(abs(parameter), direction) : direction),
      ),
  }),
});

export interface AsamOptions {
  /** Radius of the neighbourhood, relative to the weights. Default 0.5. */
  rho: number;
  /** Added to the size of each weight. Default 0.01. */
  eta: number;
}

/**
 * SAM with a neighbourhood that scales with the weights: T = |p| + eta for parameters whose name contains `weight`, 1 for
 * others;
 *
 *     p + rho T² g / (‖T g‖ + 1e-16)
 */
export const asam = wrapper<AsamOptions>({
  name: "asam",
  defaults: { rho: 0.5, eta: 0.01 },
  check({ rho, eta }) {
    checkNonNegative("asam", "rho", rho);
    checkNonNegative("asam", "eta", eta);
  },
  transform: (rule, { rho, eta }) => {
    const scale = ({ name, parameter }: Member, x: Tensor): Tensor =>
      name.includes("weight") ? mul(add(abs(parameter), eta), x) : x;
    return {
      ...rule,
      perturb: (groups) => perturbed(groups, rho, 1e-16, (member) => scale(member, member.gradient), scale),
    };
  },
});
